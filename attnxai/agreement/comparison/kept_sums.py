"""Sums over blocks of sources in the order of their numbers, kept in a file now and then."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import attnxai
from attnxai.errors import AttnxaiWarning, OutputError
from attnxai.jobs.kept_values import KeptValues
from attnxai.jobs.signed_pickles import read_signed, sha256_of_pickles, write_signed

_EVERY_S = 60.0
_N_PARTS = 5
_MOST_OF_TIME = 0.02


class SumOfBlocks(Protocol):
    """What blocks add up to; it can be pickled."""

    def add(self, found: Any) -> Any:
        """Add the next block; what does not add up, such as values of its sources, is returned."""


_Sum = TypeVar("_Sum", bound=SumOfBlocks)


class KeptSum(Generic[_Sum]):
    """A sum over blocks that are finished in any order, added in that of their numbers, on which its digits depend.

    What of them does not add up waits on disk, in ``values``, as far as it can. With a ``folder``, both lie there, the sum as
    it was in the last minute, and with the same blocks a later run begins with them. They are used only if everything that
    blocks are made of is the same, down to the pixels of maps, and so are the versions.

    Parameters
    ----------
    new : SumOfBlocks
        The sum of no blocks.
    blocks : sequence of callable
        Each returns what the result of a block is made from, which is pickled to compare it.
    folder : path, optional
        Where the sum is kept.
    """

    def __init__(
        self,
        new: _Sum,
        blocks: Sequence[Callable[[], tuple[Any, ...]]],
        folder: str | Path | None = None,
    ) -> None:
        self.sum, self.n_added, self._blocks = new, 0, blocks
        self._waiting: dict[int, Any] = {}
        self._digests: list[str] = []
        self._file: Path | None = None
        self._values: KeptValues | None = None
        self._is_saved = False
        if folder is not None:
            with self._telling(folder):
                self._file = Path(folder) / f"{sha256_of_pickles(blocks[0]())[:16]}.kept"
                if self._file.exists():
                    self._read(self._file)
        self._next_write = time.monotonic() + _EVERY_S

    @property
    def values(self) -> Iterable[Any]:
        """What the blocks returned, in the order of their numbers."""
        return self._values or ()

    def add(self, number: int, result: Any) -> None:
        """Add a block, which waits for those before it."""
        self._waiting[number] = result
        while self.n_added in self._waiting:
            value = self.sum.add(self._waiting.pop(self.n_added))
            if value is not None:
                self._keep(value)
            self.n_added += 1
        if self._file is not None and time.monotonic() >= self._next_write:
            self._write(self._file)

    def close(self) -> None:
        """Close the file of values, as has to be before its folder can be removed everywhere; values can be read no more."""
        if self._values is not None:
            self._values.close()

    def abandon(self) -> None:
        """Close it, and remove it where no sum was saved with which a later run could use it."""
        self.close()
        if self._file is not None and self._values is not None and not self._is_saved:
            with contextlib.suppress(OSError):
                self._file.with_suffix(".values").unlink()
                self._file.parent.rmdir()  # where nothing else lies there

    def _keep(self, value: Any) -> None:
        if self._values is None:
            self._values = KeptValues(self._file and self._file.with_suffix(".values"))
        self._values.append(value)
        if self._file is not None and self._values.fault is not None:
            with self._telling(self._file):
                raise self._values.fault

    def _digest_of(self, n: int) -> str:
        """Hash of what the first ``n`` blocks are made from."""
        more = self._blocks[len(self._digests) : n]
        self._digests += [sha256_of_pickles(made_from()) for made_from in more]
        return hashlib.sha256("\n".join([_versions(), *self._digests[:n]]).encode()).hexdigest()

    def _read(self, file: Path) -> None:
        found = read_signed(file)
        reason = "damaged, or of another user" if found is None else "of other inputs or versions"
        if found is not None and len(found) == _N_PARTS:
            n, digest, name, n_values, kept = found
            if digest == self._digest_of(n):
                if n_values:
                    path = file.with_suffix(".values")
                    self._values = KeptValues.again(path, name, n_values)
                if self._values is not None or not n_values:
                    self.sum, self.n_added, self._is_saved = kept, n, True
                    return
                reason = "without its values"
        warnings.warn(
            f"{file} is {reason}; its comparison begins anew", AttnxaiWarning, stacklevel=5
        )

    def _write(self, file: Path) -> None:
        begin = time.monotonic()
        with self._telling(file):
            name, n_values = b"", 0
            if self._values is not None:
                self._values.sync()
                name, n_values = self._values.name, len(self._values)
            digest = self._digest_of(self.n_added)
            write_signed(file, (self.n_added, digest, name, n_values, self.sum))
            self._is_saved = True
        now = time.monotonic()
        self._next_write = now + max(_EVERY_S, (now - begin) / _MOST_OF_TIME)

    @contextlib.contextmanager
    def _telling(self, path: str | Path) -> Iterator[None]:
        """Keep nothing where that fails, whatever the reason: the comparison does not need it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            cause = error.__cause__ if isinstance(error, OutputError) else error
            reason = getattr(cause, "strerror", None) or f"{type(cause).__name__}: {cause}"
            warnings.warn(
                f"{path} cannot be used ({reason}); if this comparison is interrupted, it begins anew",
                AttnxaiWarning,
                stacklevel=5,
            )
            self._file = None


@functools.cache
def _versions() -> str:
    """Versions on which digits depend; of this package its code, since copies of the repository share a number."""
    package = Path(attnxai.__file__).parent
    code = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        code.update(file.read_bytes())
    packages = [importlib.metadata.version(name) for name in ("numpy", "scipy", "numba")]
    return " ".join([code.hexdigest(), platform.python_version(), *packages])
