"""The data folder of a platform: its database, and the lock that keeps a second platform out.

Commands open the same database beside a running platform; only the platform itself takes the lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["DataFolderInUse", "database_path", "hold", "is_held"]

_LOCK = "platform.lock"


class DataFolderInUse(Exception):
    """Another platform runs on this data folder."""


def database_path(folder: Path) -> Path:
    """The embedded database of a data folder."""
    return folder / "lmos.db"


@contextmanager
def hold(folder: Path) -> Generator[None]:
    """Keep the folder for this process. Raises `DataFolderInUse` with the holder's process id, and `OSError`."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file; name a folder with --data", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise DataFolderInUse(
                f"another platform (process {holder}) runs on {folder}; stop it or choose another folder with --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a platform runs on this folder now."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
