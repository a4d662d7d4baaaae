"""Folder: whether a folder may become a dataset, and what is removed from it."""

from __future__ import annotations

import json
from pathlib import Path

from isaac_lerobot.dataset import durable, layout
from isaac_lerobot.errors import DatasetError

_OURS = {"meta", "data", "videos", "images", "isaac", layout.STAGING.name, layout.LOCK.name}
_HARMLESS = {"README.md", ".gitattributes", ".gitignore", ".cache", ".DS_Store"}


def check_usable(root: Path, overwrite: bool) -> None:
    """Make sure that a new dataset may be made in ``root``; creates the folder.

    Raises:
        DatasetError: Says what is there and what can be done.
    """
    if root.exists() and not root.is_dir():
        raise DatasetError(f"{root} is a file. Name a folder for the dataset.")
    if root.is_dir():
        _check_content(root, overwrite)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"Cannot make the dataset folder {root}: {error}.") from error


def make_empty(root: Path, overwrite: bool) -> None:
    """Remove the dataset in ``root``, if :func:`check_usable` allows it. Call with the lock held."""
    _check_content(root, overwrite)
    # The info goes first: without it nothing takes the rest for a dataset.
    durable.remove(root / layout.INFO)
    for name in sorted((_OURS - {layout.LOCK.name}) | {"README.md"}):
        if (root / name).exists():
            durable.remove_tree(root / name)


def _check_content(root: Path, overwrite: bool) -> None:
    names = {path.name for path in root.iterdir()}
    if _is_dataset(root):
        strangers = sorted(names - _OURS - _HARMLESS)
        if not overwrite:
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
    try:
        return "codebase_version" in json.loads((root / layout.INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _episodes(root: Path) -> int:
    return int(json.loads((root / layout.INFO).read_text(encoding="utf-8")).get("total_episodes", 0))


def _is_remains(root: Path, path: Path) -> bool:
    """Whether something may be left over from a creation that was interrupted before ``info.json`` was written."""
    name = path.relative_to(root)
    if name in (layout.STAGING, layout.LOCK):
        return True
    return path.is_dir() and all(
        found.relative_to(root) == layout.OWN_METADATA for found in path.rglob("*") if found.is_file()
    )
