"""Repair: datasets that are not as they should be, brought into order, saved from, or brought into fewer files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from isaac_lerobot import __version__
from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.own import OwnMetadata, read_own
from isaac_lerobot.dataset.write import join
from isaac_lerobot.dataset.write.assemble import Progress, assemble
from isaac_lerobot.dataset.write.recover import recover, steps
from isaac_lerobot.dataset.write.whole import find_whole_episodes
from isaac_lerobot.errors import DatasetError, DatasetLockedError


def recover_dataset(root: Path | str, *, dry_run: bool = False) -> list[str]:
    """Bring a dataset into order whose recording was interrupted, as every ``append`` does first, and join its files.

    Args:
        root: Folder of the dataset.
        dry_run: Only find out what would be done.

    Returns:
        What was done (or would be), in words; empty when the dataset is in order.

    Raises:
        DatasetError: There is no dataset, or what it counts is damaged: then nothing of that was touched.
        DatasetLockedError: Somebody is recording into it.
    """
    root = _folder(root)
    if not dry_run:
        with DatasetLock(root):
            return [*recover(root), *_joined(root, everything=False)]
    done: list[str] = []
    with _right_to_look(root):
        for step in steps(root):
            done.append(step.text)
            if step.changes_everything:
                return [*done, "look at the rest, which is only known then"]
    return done


def compact_dataset(root: Path | str) -> list[str]:
    """Join small files of a dataset into files of the sizes that its ``info.json`` names, without encoding anew.

    Returns:
        What was done, in words; empty when there was nothing to join.

    Raises:
        DatasetError: The dataset is damaged, or a file could not be joined; the dataset is as it was.
        DatasetLockedError: Somebody is recording into it.
    """
    root = _folder(root)
    with DatasetLock(root):
        return [*recover(root), *_joined(root, everything=True)]


@dataclass(frozen=True)
class Salvaged:
    """What could be saved of a damaged dataset.

    Attributes:
        kept: The episodes that were copied, by their index in the damaged dataset; position is the new index.
        lost: Why each of the others was not, by index; -1 stands for those of a file that does not say which.
    """

    kept: tuple[int, ...]
    lost: Mapping[int, str]


def salvage_dataset(root: Path | str, into: Path | str, *, progress: Progress | None = None) -> Salvaged:
    """Copy every whole episode of a damaged dataset into a new one. The damaged one is never changed.

    Rows and videos are copied as they are, once every row has been read and every picture decoded; statistics that are
    lost are computed anew. ``info.json`` and the episode table must be there: the rest follows from them.

    Args:
        root: Folder of the damaged dataset.
        into: Folder of the new dataset, new or empty.
        progress: Called with the bytes done and the bytes to do, or None.

    Raises:
        DatasetError: Nothing can be saved, or the folder holds something.
        DatasetLockedError: Somebody is writing into the folder.
    """
    root = _folder(root)
    found = find_whole_episodes(root)
    if not found.source.rows:
        reasons = "; ".join(dict.fromkeys(found.lost.values())) or "it has no episodes"
        raise DatasetError(f"Nothing can be saved of {root}: {reasons}.")
    try:
        own = read_own(root)
    except DatasetError:
        own = OwnMetadata()
    own = OwnMetadata(f"isaac-lerobot {__version__}", own.attributes)
    assemble([found.source], Path(into), replace(found.source.info, extra={}), own, progress)
    return Salvaged(tuple(row.index for row in found.source.rows), found.lost)


def _folder(root: Path | str) -> Path:
    if not Path(root).is_dir():
        raise DatasetError(f"There is no dataset folder {root}.")
    return Path(root)


def _joined(root: Path, *, everything: bool) -> list[str]:
    try:
        done = join.join_files(root, everything=everything)
    except OSError as error:
        raise DatasetError(f"The files of {root} could not be joined: {error}.") from error
    durable.remove_tree(root / layout.STAGING)
    return done


@contextlib.contextmanager
def _right_to_look(root: Path) -> Iterator[None]:
    """Keep writers out while a dataset is looked at, unless nobody may write it anyway."""
    try:
        lock = DatasetLock(root)
    except DatasetLockedError:
        raise
    except DatasetError:
        yield
        return
    with lock:
        yield
