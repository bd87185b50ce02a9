"""Values that wait on disk, in the order in which they came, until they are wanted."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import io
import os
import pickle
import secrets
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attnxai.errors import JobError
from attnxai.jobs.signed_pickles import user_key

_BEGINNING = b"attnxai kept values 1\n"
_NAME_BYTES, _LENGTH_BYTES, _SIGNATURE_BYTES = 16, 8, 32


class KeptValues:
    """Values that are appended to a file and read from it again, so that they take no memory meanwhile.

    Every value is signed together with its number and a name that is in the file, and nothing without such a signature is
    unpickled. The key is that of the user, or, for a temporary file, one that nobody else has.

    Where a file cannot be written (any more), further values wait in memory, and ``fault`` is the error.

    Parameters
    ----------
    path : path, optional
        A file of this name is replaced; :meth:`again` goes on with one. A temporary file when left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.fault: OSError | None = None
        self._in_memory: list[Any] = []
        self._signed: _SignedFile | None = None
        try:
            if path is None:
                # of the descriptor that is left, as what tempfile returns depends on the system
                with tempfile.TemporaryFile() as made:
                    file = io.FileIO(os.dup(made.fileno()), "r+")
                key = secrets.token_bytes(_SIGNATURE_BYTES)
            else:
                key = user_key(make=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                file = io.FileIO(path, "x+")
            self._signed = _SignedFile(file, key, secrets.token_bytes(_NAME_BYTES))
            self._signed.begin()
        except OSError as error:
            self.fault = error

    @classmethod
    def again(cls, path: Path, name: bytes, n: int) -> KeptValues | None:
        """The first ``n`` values of a file, without further ones; None where the file of this name has no such values."""
        found: KeptValues = object.__new__(cls)
        found.fault, found._in_memory = None, []
        try:
            found._signed = _SignedFile(io.FileIO(path, "r+"), user_key(make=False), name)
            found._signed.go_on(n)
        except (OSError, JobError):
            return None
        return found

    @property
    def name(self) -> bytes:
        """The name that is in the file; empty where there is no file."""
        return self._signed.name if self._signed else b""

    def __len__(self) -> int:
        return len(self._signed or ()) + len(self._in_memory)

    def __iter__(self) -> Iterator[Any]:
        """The values, read one by one; JobError where the file was changed."""
        for content in self._signed or ():
            yield pickle.loads(content)  # noqa: S301 -- which this user wrote
        yield from self._in_memory

    def append(self, value: Any) -> None:
        """Add a value."""
        if self._signed is not None and self.fault is None:
            content = pickle.dumps(value, protocol=5)
            try:
                self._signed.append(content)
                return
            except OSError as error:
                self.fault = error
        self._in_memory.append(value)

    def close(self) -> None:
        """Close the file, so that its folder can be removed; the values can be read no more."""
        if self._signed is not None:
            self._signed.close()

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        if self._signed is not None:
            self._signed.sync()


class _SignedFile:
    """Contents one after the other in a file, each after its length and its signature."""

    def __init__(self, file: io.FileIO, key: bytes, name: bytes) -> None:
        self._file, self._key, self.name = file, key, name
        self._ends = [len(_BEGINNING) + _NAME_BYTES]
        self.close = weakref.finalize(self, file.close)

    def begin(self) -> None:
        self._write(_BEGINNING + self.name)

    def go_on(self, n: int) -> None:
        """Check the first contents of a file that is there, and remove the others."""
        if self._file.read(self._ends[0]) != _BEGINNING + self.name:
            raise JobError(f"{self._file.name!s} is another file")
        for number in range(n):
            self._read(number)
            self._ends.append(self._file.tell())
        self._file.truncate()

    def append(self, content: bytes) -> None:
        number = len(self._ends) - 1
        self._file.seek(self._ends[-1])
        length = len(content).to_bytes(_LENGTH_BYTES, "little")
        self._write(length + self._signature(number, content) + content)
        self._ends.append(self._file.tell())

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        for number, begin in enumerate(self._ends[:-1]):
            self._file.seek(begin)
            yield self._read(number)

    def sync(self) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())

    def _write(self, data: bytes) -> None:
        written = self._file.write(data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _read(self, number: int) -> bytes:
        """The content at which the file is."""
        length = int.from_bytes(self._file.read(_LENGTH_BYTES), "little")
        signature = self._file.read(_SIGNATURE_BYTES)
        left = os.fstat(self._file.fileno()).st_size - self._file.tell()
        content = self._file.read(length) if length <= left else b""
        if not hmac.compare_digest(signature, self._signature(number, content)):
            raise JobError(
                f"{self._file.name!s} was changed while it was used; run the same command again"
            )
        return content

    def _signature(self, number: int, content: bytes) -> bytes:
        signing = hmac.new(self._key, _BEGINNING + self.name, hashlib.sha256)
        signing.update(number.to_bytes(_LENGTH_BYTES, "little"))
        signing.update(content)
        return signing.digest()
