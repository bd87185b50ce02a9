"""A lock file that one process holds, released however the process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from attnxai.errors import InUseError, OutputError

_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def locked(path: Path, *, output: Path) -> Iterator[None]:
    """Hold a lock file, in a folder that exists, while the block runs; messages name ``output``.

    The lock is one of the operating system, which ends with the process and also holds across machines on
    file systems that support this, such as NFS. On file systems without locks, the file itself is the
    lock: it is free where it names a process of this machine that has ended.
    """
    handle = _acquired(path, output)
    try:
        yield
    finally:
        # removed while it is held: a process that waits for this file sees that it is another one by then
        if os.name != "posix":  # where only closed files can be removed
            os.close(handle)
        with contextlib.suppress(OSError):
            path.unlink()
        if os.name == "posix":
            os.close(handle)


def try_lock(handle: int) -> bool | None:
    """Whether an open file is locked now, without waiting; None where the system has no locks."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            return None
        raise
    return True


def _acquired(path: Path, output: Path) -> int:
    while True:
        handle, is_new = _opened(path)
        try:
            held = try_lock(handle)
            has_locks = held is not None
            if not has_locks:
                held = is_new or _owner_has_ended(handle)
            if not held:
                ended = "" if has_locks else f"; if it has ended, remove {path}"
                raise InUseError(
                    f"another run is writing to {output} ({_owner(handle) or 'just started'}); wait for "
                    f"it, stop it, or choose another output{ended}"
                )
            if _is_at(handle, path):
                try:
                    os.ftruncate(handle, 0)
                    os.lseek(handle, 0, os.SEEK_SET)
                    os.write(handle, f"{socket.gethostname()} {os.getpid()}\n".encode())
                except OSError as error:  # a full disk, say
                    path.unlink()
                    reason = error.strerror or error
                    raise OutputError(f"{path} cannot be written: {reason}") from error
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the process that held it has removed it


def _opened(path: Path) -> tuple[int, bool]:
    """Descriptor of the lock file, and whether it was made just now."""
    while True:
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR), False


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _read(handle: int) -> tuple[str, str]:
    """The machine and the process that a lock file names."""
    os.lseek(handle, 0, os.SEEK_SET)
    host, _, pid = os.read(handle, 1000).decode(errors="replace").strip().rpartition(" ")
    return host, pid


def _owner(handle: int) -> str:
    host, pid = _read(handle)
    return f"process {pid} on {host}" if host else ""


def _owner_has_ended(handle: int) -> bool:
    host, pid = _read(handle)
    # on other systems signal 0 is an interruption, not a query
    if host != socket.gethostname() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False
