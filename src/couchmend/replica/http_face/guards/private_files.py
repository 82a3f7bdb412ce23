"""Small files for the server's eyes only: written whole or not at all, by one writer at a time."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from couchmend.errors import Unavailable, UsageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Stamp = tuple[int, int, int, int] | None
"""Changes whenever a file does; None while there is none."""

# Others may not read what is private; the owner's group may, if the owner wants it so.
_TOO_OPEN = 0o027


def stamp(path: Path) -> Stamp:
    """What tells a changed file from an unchanged one, without reading it.

    Raises:
        Unavailable: the file's folder cannot be looked into.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - asked for every request; Path.stat is slower
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _failed("read", path, problem) from problem
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def read_private(path: Path) -> tuple[Stamp, bytes]:
    """The file's bytes with the stamp that belongs to them; no bytes while there is none.

    Raises:
        UsageError: others than its owner may write it, or read it.
        Unavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if os.name == "posix" and found.st_mode & _TOO_OPEN:
                raise UsageError(
                    f"the file's mode is {found.st_mode & 0o777:o}: others can read or change it",
                    operation="read",
                    target=str(path),
                    hint=f"chmod 600 {path}",
                )
            seen = found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
            return seen, file.read()
    except FileNotFoundError:
        return None, b""
    except OSError as problem:
        raise _failed("read", path, problem) from problem


def write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step, with mode 0600; on the disk when this returns.

    Raises:
        Unavailable: it cannot be written; what was there before still is.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                _give_to_owner(file.fileno(), path)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        _sync_folder(path.parent)
    except OSError as problem:
        raise _failed("write", path, problem) from problem


@contextlib.contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Keep other threads and processes from writing the file until the end of the block.

    Raises:
        Unavailable: the lock file beside it cannot be made.
    """
    try:
        handle = _locked(path)
    except OSError as problem:
        raise _failed("lock", path, problem) from problem
    try:
        yield
    finally:
        os.close(handle)


def _locked(path: Path) -> int:
    """An open lock file; whoever closes it lets the next one in."""
    lock = path.with_name(path.name + ".lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX)
        _give_to_owner(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _give_to_owner(handle: int, path: Path) -> None:
    """What root writes for a server that runs as somebody else belongs to that somebody."""
    if os.name == "posix" and os.geteuid() == 0:
        owner = (path if path.exists() else path.parent).stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _failed(operation: str, path: Path, problem: OSError) -> Unavailable:
    return Unavailable(
        problem.strerror or str(problem),
        operation=operation,
        target=str(path),
        hint="the folder must exist, and the server's user must be able to write to it",
    )
