"""Values that wait on disk, in the order in which they came, until they are wanted."""

from __future__ import annotations

import errno
import functools
import hashlib
import hmac
import io
import os
import pickle
import secrets
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attnxai.errors import JobError
from attnxai.jobs.locks import try_lock
from attnxai.jobs.signed_pickles import user_key

_BEGINNING = b"attnxai kept values 1\n"
_NAME_BYTES, _LENGTH_BYTES, _SIGNATURE_BYTES = 16, 8, 32


class KeptValues:
    """Values that are appended to a file and read from it again, so that they take no memory meanwhile.

    Every value is signed together with its number and a name that is in the file, and nothing without such a signature is
    unpickled. The key is that of the user, or, for a temporary file, one that nobody else has.

    Where a file cannot be written (any more), is used by another process, or a value cannot be pickled, ``fault`` is the
    error. Further values wait in a temporary file, and where that cannot be written either, in memory.

    Parameters
    ----------
    path : path, optional
        A file, which begins anew; :meth:`again` goes on with one. A temporary file when left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.fault: Exception | None = None
        self._files: list[_SignedFile] = []
        self._in_memory: list[Any] = []
        # begun one after the other, when there is something to write
        self._further: list[Callable[[], _SignedFile]] = [_SignedFile.temporary]
        if path is not None:
            self._further.insert(0, functools.partial(_SignedFile.new, path))

    @classmethod
    def again(cls, path: Path, name: bytes, n: int) -> KeptValues | None:
        """The first ``n`` values of a file, without further ones; None where the file of this name has no such values."""
        found = cls()
        try:
            found._files.append(_SignedFile.again(path, name, n))
        except (OSError, RuntimeError, JobError):
            return None
        return found

    @property
    def name(self) -> bytes:
        """The name that is in the file, where all values are."""
        return self._files[0].name

    def __len__(self) -> int:
        return sum(map(len, self._files)) + len(self._in_memory)

    def __iter__(self) -> Iterator[Any]:
        """The values, read one by one; JobError where a file does not hold what was written."""
        for file in self._files:
            for content in file:
                yield pickle.loads(content)  # noqa: S301 -- which this user wrote
        yield from self._in_memory

    def append(self, value: Any) -> None:
        """Add a value."""
        # those in memory come last
        if self._in_memory or not self._is_written(value):
            self._in_memory.append(value)

    def _is_written(self, value: Any) -> bool:
        try:
            content = pickle.dumps(value, protocol=5)
        except Exception as error:  # noqa: BLE001 -- pickling runs code of the value, such as that of a plug-in
            self.fault = self.fault or error
            return False
        while self._further or (self._files and not self._files[-1].is_full):
            try:
                if not self._files or self._files[-1].is_full:
                    self._files.append(self._further.pop(0)())
                self._files[-1].append(content)
            except (OSError, RuntimeError) as error:  # without a home there is no key of the user
                self.fault = self.fault or error
            else:
                return True
        return False

    def sync(self) -> None:
        """Wait until everything is on the disk; an OSError where that has no space, as some tell only then."""
        for file in self._files:
            file.sync()

    def close(self) -> None:
        """Close the files, so that their folder can be removed; the values can be read no more."""
        for file in self._files:
            file.close()


class _SignedFile:
    """Contents one after the other in a file, each after its length and its signature.

    It is locked as long as it is open, since two runs can be given one folder.
    """

    def __init__(self, file: io.FileIO, path: Path | str, key: bytes, name: bytes) -> None:
        self._file, self._path, self._key, self.name, self.is_full = file, path, key, name, False
        self._ends = [len(_BEGINNING) + _NAME_BYTES]
        self.close = weakref.finalize(self, file.close)
        if try_lock(file.fileno()) is False:
            raise BlockingIOError(errno.EWOULDBLOCK, "another run uses it")

    @classmethod
    def temporary(cls) -> _SignedFile:
        """A file that ends with this process."""
        # what tempfile returns depends on the system, its descriptor does not
        with tempfile.TemporaryFile() as made:
            file = io.FileIO(os.dup(made.fileno()), "r+")
        return cls._begun(file, "a temporary file", secrets.token_bytes(_SIGNATURE_BYTES))

    @classmethod
    def new(cls, path: Path) -> _SignedFile:
        """A file that stays, in place of what lies there."""
        key = user_key(make=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # as it may be open in another process
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return cls._begun(io.FileIO(os.open(path, flags, 0o666), "r+"), path, key)

    @classmethod
    def again(cls, path: Path, name: bytes, n: int) -> _SignedFile:
        """The first contents of a file that is there, which are checked; the others are removed."""
        key = user_key(make=False)
        found = cls(io.FileIO(path, "r+"), path, key, name)
        if found._read_bytes(found._ends[0]) != _BEGINNING + name:
            raise found._fault()
        for number in range(n):
            found._read(number)
            found._ends.append(found._file.tell())
        found._file.truncate()
        return found

    @classmethod
    def _begun(cls, file: io.FileIO, path: Path | str, key: bytes) -> _SignedFile:
        made = cls(file, path, key, secrets.token_bytes(_NAME_BYTES))
        file.truncate(0)
        made._write(_BEGINNING + made.name)
        return made

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        for number, begin in enumerate(self._ends[:-1]):
            self._file.seek(begin)
            yield self._read(number)

    def append(self, content: bytes) -> None:
        """Add a content; an OSError where there is no space, after which there is none for others either."""
        try:
            self._file.seek(self._ends[-1])
            self._write(len(content).to_bytes(_LENGTH_BYTES, "little"))
            self._write(self._signature(len(self), content))
            self._write(content)
        except OSError:
            self.is_full = True
            raise
        self._ends.append(self._file.tell())

    def sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            if error.errno not in (
                errno.EINVAL,
                errno.ENOSYS,
            ):  # as of file systems that cannot wait
                raise

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a system writes a part where it is interrupted, and up to 2 GB at once
            left = left[self._file.write(left) :]

    def _read_bytes(self, n: int) -> bytes:
        parts = []
        while n and (part := self._file.read(n)):
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def _read(self, number: int) -> bytes:
        """The content at which the file is."""
        length = int.from_bytes(self._read_bytes(_LENGTH_BYTES), "little")
        signature = self._read_bytes(_SIGNATURE_BYTES)
        left = os.fstat(self._file.fileno()).st_size - self._file.tell()
        content = self._read_bytes(length) if length <= left else b""
        if not hmac.compare_digest(signature, self._signature(number, content)):
            raise self._fault()
        return content

    def _fault(self) -> JobError:
        return JobError(
            f"{self._path} does not hold what was written to it: it was changed, or its disk has no space or is "
            "damaged; run the same command again"
        )

    def _signature(self, number: int, content: bytes) -> bytes:
        signing = hmac.new(self._key, _BEGINNING + self.name, hashlib.sha256)
        signing.update(number.to_bytes(_LENGTH_BYTES, "little"))
        signing.update(content)
        return signing.digest()
