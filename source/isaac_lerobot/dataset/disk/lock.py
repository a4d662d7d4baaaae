"""Lock: keeps a second writer out of a dataset.

The operating system holds the lock for the process and lets go when it dies, however it dies, so there are no
stale locks. The text in the file only serves the message.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
from pathlib import Path
from types import TracebackType

from isaac_lerobot.dataset.format.layout import LOCK
from isaac_lerobot.errors import DatasetError, DatasetLockedError

_HOLDER = re.compile(r"process (\d+) on (.*)")
_PATIENCE_S = 5.0
"""A process killed while it starts an encoder leaves the lock with the encoder for some milliseconds."""


class DatasetLock:
    """The right to change one dataset.

    Args:
        root: Folder of the dataset; must exist.

    Raises:
        DatasetLockedError: Somebody else has it; names the process.
        DatasetError: The folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / LOCK
        patience = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise DatasetError(f"Cannot write into {root}: {error}.") from error
            held_by_us = _try_lock(self._descriptor)
            # A holder removes the file before it lets go: then this is a file without a name, and the next try counts.
            if held_by_us and _same_file(self._descriptor, self._path):
                break
            holder = _read(self._descriptor)
            os.close(self._descriptor)
            if held_by_us:
                continue
            if not _is_dead(holder) or time.monotonic() > patience:
                dead = " It has ended, but a process that it started goes on." if _is_dead(holder) else ""
                raise DatasetLockedError(
                    f"{root} is being written by {holder}.{dead} Close that recording first, or use another folder."
                )
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # the disk is full: the lock holds without its text
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        self._held = True

    def release(self) -> None:
        """Let go. May be called twice."""
        if not self._held:
            return
        self._held = False
        if sys.platform != "win32" and _same_file(self._descriptor, self._path):
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def __enter__(self) -> DatasetLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_dead(holder: str) -> bool:
    """Whether the process named in a lock file was on this machine and is gone."""
    match = _HOLDER.match(holder)
    if match is None or match[2] != socket.gethostname() or sys.platform == "win32":
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _read(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 200).decode(errors="replace") or "another process"
    except OSError:
        return "another process"


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
