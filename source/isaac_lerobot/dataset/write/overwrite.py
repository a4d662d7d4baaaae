"""Overwrite: whether a folder may become a dataset, and what happens to what is in it.

A dataset that is to be overwritten is kept until the new one has an episode:

1. ``.replaced`` is made and the parts of the old dataset are moved into it, ``meta`` first: from then on nothing is
   taken for a dataset at ``root``. A marker file says that all parts have arrived.
2. The new dataset is made at ``root``. When its first episode is committed, ``.replaced`` is removed.
3. If it never gets one (killed, or nothing was recorded), the next open, or the close, brings the old one back: what
   the new one made is removed, then the marker, then the parts are moved back, ``meta`` last.

Each move is one atomic step, and what is found tells which step comes next, so a process killed at any instant
leaves the old dataset or the new one to the next open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.json_file import look_into
from isaac_lerobot.dataset.write import join
from isaac_lerobot.errors import DatasetError

_OWN = {layout.STAGING.name, layout.LOCK.name, layout.REPLACED.name}
_HARMLESS = {"README.md", ".gitattributes", ".gitignore", ".cache", ".DS_Store"}
_MARKER = layout.REPLACED / "complete"
_REMOVED = "remove the dataset that was overwritten"
_BROUGHT_BACK = "bring back the dataset that was to be overwritten, as nothing new was recorded"


def holds_dataset(root: Path) -> bool:
    """Whether there is a dataset that is worth keeping: one that counts episodes, or may do so once it is recovered.

    A dataset that was made and never got an episode is none: no reader opens it, and nothing is lost with it.
    """
    if is_pending(root) or join.is_interrupted(root):
        return True
    return _is_dataset(root) and not _is_empty(root)


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
        strangers = sorted(names - set(layout.PARTS) - _OWN - _HARMLESS)
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

    A dataset that holds something is set aside, not removed.
    """
    settle(root)
    check_content(root, overwrite)
    if join.is_interrupted(root):
        join.finish(root)
    if holds_dataset(root):
        _set_aside(root)
    else:
        _remove_parts(root)
    if (root / layout.STAGING).exists():
        durable.remove_tree(root / layout.STAGING)


def withdraw(root: Path) -> None:
    """Remove a new dataset that got no episode, and bring back the one it was to replace. Call with the lock held."""
    if is_pending(root):
        settle(root)
    elif not holds_dataset(root):
        _remove_parts(root)
    durable.remove_tree(root / layout.STAGING)


def is_pending(root: Path) -> bool:
    """Whether an overwritten dataset is still kept in ``root``."""
    return (root / layout.REPLACED).is_dir()


def settle(root: Path) -> str:
    """End an overwriting: remove the old dataset if the new one has episodes, else bring it back. Needs the lock.

    Returns:
        What was done, in words; empty where there was nothing to do.
    """
    outcome = what_settles(root)
    if outcome == _REMOVED:
        durable.remove_tree(root / layout.REPLACED)
    elif outcome:
        _restore(root)
    return outcome


def what_settles(root: Path) -> str:
    """Return what :func:`settle` would do.

    Raises:
        DatasetError: The info of the dataset that is there cannot be read.
    """
    if not is_pending(root):
        return ""
    info, problem = look_into(root / layout.INFO)
    if problem not in ("", "is missing") or (info and type(info.get("total_episodes")) is not int):
        raise DatasetError(
            f"{root / layout.INFO} {problem or 'counts no episodes'}, so it cannot be told whether the dataset in "
            f"{root / layout.REPLACED} was overwritten. Move one of the two away."
        )
    return _REMOVED if _counted_episodes(root) else _BROUGHT_BACK


def _set_aside(root: Path) -> None:
    folder = root / layout.REPLACED
    durable.make_folder(folder)
    for name in layout.PARTS:
        if (root / name).exists():
            durable.replace(root / name, folder / name)
    durable.sync_folder(folder)
    durable.sync_folder(root)
    durable.write_bytes(root / _MARKER, b"")
    durable.sync_folder(folder)


def _restore(root: Path) -> None:
    folder = root / layout.REPLACED
    if (root / _MARKER).is_file():
        _remove_parts(root)
        durable.sync_folder(root)
        durable.remove(root / _MARKER)
        durable.sync_folder(folder)
    for name in reversed(layout.PARTS):
        if (folder / name).exists():
            durable.replace(folder / name, root / name)
    durable.sync_folder(root)
    durable.remove_tree(folder)


def _remove_parts(root: Path) -> None:
    # The info goes first: without it nothing takes the rest for a dataset.
    durable.remove(root / layout.INFO)
    for name in layout.PARTS:
        if (root / name).is_dir():
            durable.remove_tree(root / name)


def _is_dataset(root: Path) -> bool:
    return "codebase_version" in _info(root)


def _is_empty(root: Path) -> bool:
    """Whether a dataset counts no episodes and has no files of any, but those that we know to be ours to remove."""
    if _info(root).get("total_episodes") != 0:
        return False
    ours = (root / layout.OWN_METADATA).is_file()
    parts = set(layout.PARTS) - {"meta"}
    return ours or not any(layout.files_in(root / name) for name in parts)


def _episodes(root: Path) -> int:
    return _counted_episodes(root) or _counted_episodes(root / layout.REPLACED)


def _counted_episodes(root: Path) -> int:
    total = _info(root).get("total_episodes")
    return total if type(total) is int else 0


def _info(root: Path) -> dict[str, Any]:
    return look_into(root / layout.INFO)[0]


def _is_remains(root: Path, path: Path) -> bool:
    """Whether something may be left over from a creation that was interrupted before ``info.json`` was written."""
    name = path.relative_to(root)
    if name in (layout.STAGING, layout.LOCK):
        return True
    return path.is_dir() and all(found.relative_to(root) == layout.OWN_METADATA for found in layout.files_in(path))
