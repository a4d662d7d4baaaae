"""Durable: every change of a dataset's files that must survive a crash goes through here.

Nothing in this module decides an order; :mod:`commit`, :mod:`join` and :mod:`repair` do, and say so.
Tests append to :data:`observers` to stop, fail or kill a process before any single step.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from isaac_lerobot.dataset.format import columns, layout

Observer = Callable[[str, Path], None]

observers: list[Observer] = []
"""Called as ``observer(step, path)`` before each step."""

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def write_bytes(path: Path, content: bytes) -> None:
    """Write a new file and wait until its content is on the disk (its name is not yet: see :func:`sync_folder`)."""
    _announce("write", path)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, content: Any) -> None:
    """Write a new JSON file (UTF-8, indent 4) durably."""
    try:
        text = json.dumps(content, indent=4, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which somebody else wrote escaped
        text = json.dumps(content, indent=4).encode()
    write_bytes(path, text + b"\n")


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write a new parquet file durably; each table becomes a row group, very large ones several."""
    columns.write_parquet(path, tables, schema)
    sync_file(path)


def replace_json(root: Path, path: Path, content: object) -> None:
    """Replace the JSON file at ``path`` inside the dataset in one step, by way of its staging folder.

    Raises:
        OSError: It could not be; the file is as it was.
    """
    write_json(_staged(root, path), content)
    _publish(root, path)


def replace_parquet(root: Path, path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Replace the parquet file at ``path`` inside the dataset likewise.

    Raises:
        OSError: It could not be; the file is as it was.
    """
    write_parquet(_staged(root, path), tables, schema)
    _publish(root, path)


def sync_file(path: Path) -> None:
    """Wait until the content of a file written by somebody else (ffmpeg, pyarrow) is on the disk."""
    _announce("sync", path)
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _announce("sync-folder", path)
    if sys.platform != "win32":  # which does not open folders; NTFS keeps a journal of names
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and its parents durably; does nothing where it exists."""
    if path.is_dir():
        return
    make_folder(path.parent)
    _announce("make-folder", path)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def replace(source: Path, target: Path) -> None:
    """Move a file to its place in one atomic step, replacing what was there."""
    _announce("replace", target)
    os.replace(source, target)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    _announce("remove", path)
    path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a folder with everything in it, if it is there."""
    _announce("remove-tree", path)
    shutil.rmtree(path, ignore_errors=False) if path.is_dir() else path.unlink(missing_ok=True)


def remove_empty_folder(path: Path) -> None:
    """Remove a folder if it is there and empty."""
    if path.is_dir() and not any(path.iterdir()):
        _announce("remove-folder", path)
        path.rmdir()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; copies it where the file system has no hard links."""
    _announce("link", target)
    try:
        # Of a link, what it leads to: a link itself would lead elsewhere from another folder.
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)
        sync_file(target)


def exchange(first: Path, second: Path, aside: Path) -> None:
    """Exchange two folders. Both exist under one of the names at any instant where the system can do it.

    Linux does it in one step (``renameat2``). Elsewhere it is three renames by way of ``aside``, between which
    ``first`` is missing for an instant; the next open finishes them.
    """
    _announce("exchange", first)
    if _exchange_atomically(first, second):
        return
    os.replace(first, aside)
    _announce("exchange-second", first)
    os.replace(second, first)
    _announce("exchange-third", first)
    os.replace(aside, second)


def _staged(root: Path, path: Path) -> Path:
    make_folder(root / layout.STAGING)
    return root / layout.STAGING / path.name


def _publish(root: Path, path: Path) -> None:
    replace(_staged(root, path), root / path)
    sync_folder((root / path).parent)


def _announce(step: str, path: Path) -> None:
    for observer in observers:
        observer(step, path)


def _exchange_atomically(first: Path, second: Path) -> bool:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "renameat2"):
            return False
        names = os.fsencode(first), os.fsencode(second)
        result = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE))
        if result == 0:
            return True
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(number, os.strerror(number), str(first))
    return False
