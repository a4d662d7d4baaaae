"""Compact: joins the small files of a dataset that is not being recorded."""

from __future__ import annotations

from pathlib import Path

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.write import join, repair
from isaac_lerobot.errors import DatasetError


def compact_dataset(root: Path | str) -> list[str]:
    """Join small files of a dataset into files of the sizes that its ``info.json`` names, without encoding anew.

    Returns:
        What was done, in words; empty when there was nothing to join.

    Raises:
        DatasetError: The dataset is damaged, or a file could not be joined; the dataset is as it was.
        DatasetLockedError: Somebody is recording into it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"There is no dataset folder {root}.")
    with DatasetLock(root):
        done = repair.recover(root)
        done += join.join_files(root, everything=True)
        durable.remove_tree(root / layout.STAGING)
        return done
