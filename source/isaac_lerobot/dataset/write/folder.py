"""Folder: whether a folder may become a dataset, and what happens to what is in it."""

from __future__ import annotations

import json
from pathlib import Path

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.write import join, replacement
from isaac_lerobot.errors import DatasetError

_OWN = {layout.STAGING.name, layout.LOCK.name, layout.REPLACED.name}
_PARTS = set(replacement.PARTS)
_HARMLESS = {"README.md", ".gitattributes", ".gitignore", ".cache", ".DS_Store"}


def holds_dataset(root: Path) -> bool:
    """Whether there is a dataset that is worth keeping: one that counts episodes, or may do so once it is repaired.

    A dataset that was made and never got an episode is none: no reader opens it, and nothing is lost with it.
    """
    if replacement.is_pending(root) or join.is_interrupted(root):
        return True
    return _is_dataset(root) and not _is_empty(root)


def check_usable(root: Path, overwrite: bool) -> bool:
    """Make sure that a new dataset may be made in ``root``; creates the folder.

    Returns:
        Whether the folder was not there before.

    Raises:
        DatasetError: Says what is there and what can be done.
    """
    check_content(root, overwrite)
    if root.is_dir():
        return False
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"Cannot make the dataset folder {root}: {error}.") from error
    return True


def clear(root: Path, overwrite: bool) -> None:
    """Make room for a new dataset, if :func:`check_usable` allows it. Call with the lock held.

    A dataset that holds something is set aside, not removed: see :mod:`replacement`.
    """
    replacement.settle(root)
    check_content(root, overwrite)
    if join.is_interrupted(root):
        join.finish(root)
    if holds_dataset(root):
        replacement.set_aside(root)
    else:
        replacement.remove_parts(root)
    if (root / layout.STAGING).exists():
        durable.remove_tree(root / layout.STAGING)


def withdraw(root: Path) -> None:
    """Remove a new dataset that got no episode, and bring back the one it was to replace. Call with the lock held."""
    if replacement.is_pending(root):
        replacement.settle(root)
    elif not holds_dataset(root):
        replacement.remove_parts(root)
    durable.remove_tree(root / layout.STAGING)


def check_content(root: Path, overwrite: bool) -> None:
    """Make sure that a new dataset may be made in ``root``, without touching anything.

    Raises:
        DatasetError: Says what is there and what can be done.
    """
    if not root.exists():
        return
    if not root.is_dir():
        raise DatasetError(f"{root} is a file. Name a folder for the dataset.")
    names = {path.name for path in root.iterdir()}
    if holds_dataset(root) or _is_dataset(root):
        strangers = sorted(names - _PARTS - _OWN - _HARMLESS)
        if holds_dataset(root) and not overwrite:
            raise DatasetError(
                f"{root} already holds a LeRobot dataset ({_episodes(root)} episodes). "
                "Append to it, allow overwriting it, or use another folder."
            )
        if strangers:
            raise DatasetError(
                f"{root} holds a LeRobot dataset and also {', '.join(strangers[:5])}; it is not overwritten. "
                "Move that away, or use another folder."
            )
        return
    kept = sorted(name for name in names if not _is_remains(root, root / name))
    if kept:
        raise DatasetError(
            f"{root} is not empty and holds no LeRobot dataset (there is {', '.join(kept[:5])}). "
            "It is left as it is; use another folder."
        )


def _is_dataset(root: Path) -> bool:
    return "codebase_version" in _info(root)


def _is_empty(root: Path) -> bool:
    """Whether a dataset counts no episodes and has no files of any, but those that we know to be ours to remove."""
    if _info(root).get("total_episodes") != 0:
        return False
    ours = (root / layout.OWN_METADATA).is_file()
    return ours or not any(path.is_file() for name in _PARTS - {"meta"} for path in (root / name).rglob("*"))


def _episodes(root: Path) -> int:
    kept = replacement.counted_episodes(root)
    return kept or replacement.counted_episodes(root / layout.REPLACED)


def _info(root: Path) -> dict[str, object]:
    try:
        info = json.loads((root / layout.INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}


def _is_remains(root: Path, path: Path) -> bool:
    """Whether something may be left over from a creation that was interrupted before ``info.json`` was written."""
    name = path.relative_to(root)
    if name in (layout.STAGING, layout.LOCK):
        return True
    return path.is_dir() and all(
        found.relative_to(root) == layout.OWN_METADATA for found in path.rglob("*") if found.is_file()
    )
