"""Pickled results on disk, which only the user who wrote them can read.

Unpickling can run code, and a folder of results may come from anywhere. So a file is signed with a key that lies among
the user's own files, and one without a valid signature is never unpickled.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from attnxai.jobs.files import clear_partial_files, replaced_file
from attnxai.jobs.locks import try_lock

_BEGINNING = b"attnxai signed pickle 1\n"
_KEY_BYTES = _SIGNATURE_BYTES = 32


def write_signed(path: Path, value: Any) -> None:
    """Pickle a value into a file, which appears whole.

    Raises
    ------
    OSError
        If the file, or the key of this user, cannot be written.
    """
    key = user_key(make=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_partial_files(path)
    with replaced_file(path) as temporary, temporary.open("xb") as file:
        # the lock shows that the process that writes it is alive
        try_lock(file.fileno())
        file.write(_BEGINNING + bytes(_SIGNATURE_BYTES))
        signing = _Signing(file, hmac.new(key, digestmod=hashlib.sha256))
        pickle.dump(value, signing, protocol=5)
        file.seek(len(_BEGINNING))
        file.write(signing.mac.digest())


def read_signed(path: Path) -> Any:
    """The value in a file that this user wrote; None where there is no such file, or another one."""
    try:
        key = user_key(make=False)
        # in memory, where nobody can change it once it is checked
        content = memoryview(path.read_bytes())
        beginning, rest = content[: len(_BEGINNING)], content[len(_BEGINNING) :]
        signature, signed = rest[:_SIGNATURE_BYTES], rest[_SIGNATURE_BYTES:]
        mac = hmac.new(key, signed, hashlib.sha256)
        if beginning != _BEGINNING or not hmac.compare_digest(mac.digest(), bytes(signature)):
            return None
        return pickle.loads(signed)  # noqa: S301 -- which this user wrote
    except Exception:  # noqa: BLE001 -- as of a class that was changed since
        return None


def sha256_of_pickles(parts: Iterable[Any]) -> str:
    """Hash of values, which are pickled one by one, since a pickle also tells which objects they share."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(pickle.dumps(part, protocol=5)).digest())
    return digest.hexdigest()


class _Signing:
    """A file that signs what is written to it."""

    def __init__(self, file: IO[bytes], mac: hmac.HMAC) -> None:
        self._file, self.mac = file, mac

    def write(self, data: Any) -> int:
        self.mac.update(data)
        return self._file.write(data)


def user_key(*, make: bool) -> bytes:
    """The key of this user, which is made when it is first wanted; an OSError where it cannot be read or made."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    file = Path(base) / "attnxai" / "signing-key"
    if make and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(secrets.token_bytes(_KEY_BYTES))
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(f"{file} is not a key of attnxai; remove it")
    return key
