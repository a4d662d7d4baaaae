"""Lock: keeps a second writer out of a dataset.

The operating system holds the lock for the process and lets go when it dies, however it dies, so there are no
stale locks. The text in the file only serves the message. Why not the filelock library: docs/decisions/own-lock.md.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import socket
import sys
import time
import weakref
from pathlib import Path
from types import TracebackType

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.layout import LOCK
from isaac_lerobot.errors import DatasetError, DatasetLockedError

_LOG = logging.getLogger(__name__)
_HOLDER = re.compile(r"process (\d+) on (.*)")
_PATIENCE_S = 5.0
"""A process killed while it starts an encoder leaves the lock with the encoder for some milliseconds."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_HELD = (errno.EAGAIN, errno.EACCES)
"""What a system says of a lock that somebody else has. Anything else says that there are no locks."""


class DatasetLock:
    """The right to change one dataset.

    A file system without locks (some network and user-space ones) cannot keep anybody out; that is logged.

    Args:
        root: Folder of the dataset; must exist.

    Raises:
        DatasetLockedError: Somebody else has it; names the process.
        DatasetError: The folder cannot be written, or a folder of the dataset is a link: what is changed there might
            be anybody's.
    """

    def __init__(self, root: Path) -> None:
        try:
            _refuse_links(root)
        except OSError as error:
            raise DatasetError(f"Cannot look into {root}: {error}.") from error
        self._path = root / LOCK
        patience = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o644)
            except OSError as error:
                raise DatasetError(f"Cannot write into {root}: {error}.") from error
            held_by_us = _try_lock(self._descriptor, root)
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
        _held.add(self)

    def release(self) -> None:
        """Let go. May be called twice."""
        if not self._held:
            return
        self._held = False
        _held.discard(self)
        if sys.platform == "win32":  # a file that somebody has open cannot be removed, be it we or the next holder
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                self._path.unlink()
        else:
            if _same_file(self._descriptor, self._path):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)

    def disown(self) -> None:
        """Leave it to the process that took it. For a child of that, which has it too, for as long as it lives."""
        self._held = False
        os.close(self._descriptor)

    def __enter__(self) -> DatasetLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


_held: weakref.WeakSet[DatasetLock] = weakref.WeakSet()


def _disown_all() -> None:
    for lock in list(_held):
        lock.disown()
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)


def _refuse_links(root: Path) -> None:
    """Make sure that no folder of a dataset, and nothing unfinished in it, is a link: it may have come from anywhere.

    Links to single files elsewhere are as good as files (the Hub's cache is made of them): they are only replaced.
    """
    for name in (*layout.PARTS, layout.STAGING.name, layout.REPLACED.name):
        unfinished = name in (layout.STAGING.name, layout.REPLACED.name)
        found = [root / name]
        for folder, folders, files in os.walk(root / name, onerror=_raise):
            found += [Path(folder, inner) for inner in (*folders, *(files if unfinished else ()))]
        link = next((path for path in found if path.is_symlink()), None)
        if link is not None:
            raise DatasetError(f"{link} is a link. A dataset that is changed must have its own folders: copy it whole.")


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _try_lock(descriptor: int, root: Path) -> bool:
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in _HELD:
            return False
        _LOG.warning(
            "The file system of %s has no locks (%s): nothing keeps a second recording out of this folder.", root, error
        )
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # Nobody else may read what is locked, so it is a byte far behind the text.
        os.lseek(descriptor, 2**30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_dead(holder: str) -> bool:
    """Whether the process named in a lock file was on this machine and is gone."""
    match = _HOLDER.match(holder)
    if sys.platform != "win32" and match is not None and match[2] == socket.gethostname():  # there, it would be Ctrl+C
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
