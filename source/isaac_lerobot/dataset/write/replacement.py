"""Replacement: a dataset that is to be overwritten is kept until the new one has an episode.

1. ``.replaced`` is made and the parts of the old dataset are moved into it, ``meta`` first: from then on nothing is
   taken for a dataset at ``root``. A marker file says that all parts have arrived.
2. The new dataset is made at ``root``. When its first episode is committed, ``.replaced`` is removed.
3. If it never gets one (killed, or nothing was recorded), the next open, or the close, brings the old one back: what
   the new one made is removed, then the marker, then the parts are moved back, ``meta`` last.

Each move is one atomic step, and what is found tells which step comes next, so a process killed at any instant
leaves the old dataset or the new one to the next open.
"""

from __future__ import annotations

import json
from pathlib import Path

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import layout

PARTS = ("meta", "data", "videos", "images", "isaac")
"""What a dataset consists of, in the order in which it is moved away. A card (``README.md``) is its owner's."""

_FOLDER = layout.REPLACED
_MARKER = _FOLDER / "complete"
_REMOVED = "remove the dataset that was overwritten"
_BROUGHT_BACK = "bring back the dataset that was to be overwritten, as nothing new was recorded"


def is_pending(root: Path) -> bool:
    """Whether an overwritten dataset is still kept in ``root``."""
    return (root / _FOLDER).is_dir()


def set_aside(root: Path) -> None:
    """Move the dataset in ``root`` into ``.replaced``. Call with the lock held."""
    durable.make_folder(root / _FOLDER)
    for name in PARTS:
        if (root / name).exists():
            durable.replace(root / name, root / _FOLDER / name)
    durable.sync_folder(root / _FOLDER)
    durable.sync_folder(root)
    durable.write_bytes(root / _MARKER, b"")
    durable.sync_folder(root / _FOLDER)


def settle(root: Path) -> str:
    """End a replacement: remove the old dataset if the new one has episodes, else bring it back. Needs the lock.

    Returns:
        What was done, in words; empty where there was nothing to do.
    """
    outcome = what_settles(root)
    if outcome == _REMOVED:
        durable.remove_tree(root / _FOLDER)
    elif outcome:
        _restore(root)
    return outcome


def what_settles(root: Path) -> str:
    """Return what :func:`settle` would do."""
    if not is_pending(root):
        return ""
    return _REMOVED if counted_episodes(root) else _BROUGHT_BACK


def remove_parts(root: Path) -> None:
    """Remove what a dataset consists of. Call with the lock held."""
    # The info goes first: without it nothing takes the rest for a dataset.
    durable.remove(root / layout.INFO)
    for name in PARTS:
        if (root / name).is_dir():
            durable.remove_tree(root / name)


def counted_episodes(root: Path) -> int:
    """Return how many episodes ``info.json`` counts; 0 where it does not say."""
    try:
        return int(json.loads((root / layout.INFO).read_text(encoding="utf-8"))["total_episodes"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def _restore(root: Path) -> None:
    if (root / _MARKER).is_file():
        remove_parts(root)
        durable.sync_folder(root)
        durable.remove(root / _MARKER)
        durable.sync_folder(root / _FOLDER)
    for name in reversed(PARTS):
        if (root / _FOLDER / name).exists():
            durable.replace(root / _FOLDER / name, root / name)
    durable.sync_folder(root)
    durable.remove_tree(root / _FOLDER)
