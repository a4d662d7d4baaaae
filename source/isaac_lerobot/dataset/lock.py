"""Lock: keeps a second writer out of a dataset.

The operating system holds the lock for the process and lets go when it dies, however it dies, so there are no
stale locks. The text in the file only serves the message.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import TracebackType

from isaac_lerobot.dataset.layout import LOCK
from isaac_lerobot.errors import DatasetLockedError


class DatasetLock:
    """The right to change one dataset.

    Args:
        root: Folder of the dataset; must exist.

    Raises:
        DatasetLockedError: Somebody else has it; names the process.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / LOCK
        while True:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _try_lock(self._descriptor):
                holder = _read(self._descriptor)
                os.close(self._descriptor)
                raise DatasetLockedError(
                    f"{root} is being written by {holder}. Close that recording first, or use another folder."
                )
            # The former holder removes the file while it holds the lock: then we hold a file without a name.
            if _same_file(self._descriptor, self._path):
                break
            os.close(self._descriptor)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0) if hasattr(
            os, "pwrite"
        ) else os.write(self._descriptor, f"process {os.getpid()}".encode())
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
