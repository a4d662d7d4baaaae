"""Merge: several finished datasets into a new one, without encoding anything anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from isaac_lerobot import __version__
from isaac_lerobot.dataset.format import episodes
from isaac_lerobot.dataset.format.features import differences, unrecordable
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.own import OwnMetadata, read_own
from isaac_lerobot.dataset.format.tasks import read_tasks
from isaac_lerobot.dataset.write.assemble import Progress, Source, assemble
from isaac_lerobot.errors import DatasetError, FeatureError


def merge_datasets(roots: Sequence[Path | str], into: Path | str, *, progress: Progress | None = None) -> int:
    """Copy the episodes of several datasets, in order, into a new one.

    Videos and rows are copied as they are, statistics merged without decoding a picture; success, tasks and what we
    keep beside the episodes come along, and each episode's attributes say under ``source`` where it came from. If this
    is interrupted, it goes on where it was when it is begun again.

    Args:
        roots: Folders of the datasets. Nothing of them is changed.
        into: Folder of the new dataset, new or empty.
        progress: Called with the bytes done and the bytes to do, or None.

    Returns:
        Number of episodes in the new dataset.

    Raises:
        FeatureError: The datasets do not fit together; lists every difference.
        DatasetError: One is damaged, or the folder holds something.
        DatasetLockedError: Somebody is writing into the folder.
    """
    if not roots:
        raise DatasetError("There are no datasets to merge.")
    sources = [_source(Path(root)) for root in roots]
    first = sources[0]
    found = [f"{first.root}: {text}" for text in unrecordable(first.info.features)]
    for source in sources[1:]:
        found += [f"{source.root}: {text}" for text in differences_between(source.info, first.info)]
    if found:
        raise FeatureError(f"The datasets do not fit {first.root}: " + "; ".join(found) + ".")
    kept = [read_own(source.root) for source in sources]
    same = all(own.attributes == kept[0].attributes for own in kept)
    listed = [{"dataset": source.root.absolute().name, "attributes": dict(own.attributes)}
              for source, own in zip(sources, kept, strict=True)]  # fmt: skip
    attributes = dict(kept[0].attributes) if same else {"merged": listed}
    own = OwnMetadata(f"isaac-lerobot {__version__}", attributes)
    assemble(sources, Path(into), replace(first.info, extra={}), own, progress)
    return sum(len(source.rows) for source in sources)


def differences_between(other: Info, first: Info) -> list[str]:
    """Say in sentences why the episodes of one dataset cannot be those of another."""
    found = []
    if other.fps != first.fps:
        found.append(f"fps is {other.fps}, not {first.fps}")
    if other.robot_type != first.robot_type:
        found.append(f"robot_type is {other.robot_type!r}, not {first.robot_type!r}")
    found += differences(other.features, first.features)
    for name, feature in first.videos.items():
        here, there = feature.info or {}, (other.features[name].info if name in other.features else None) or {}
        for key in ("video.codec", "video.pix_fmt"):
            if here.get(key) and there.get(key) and here[key] != there[key]:
                found.append(f"the {key.replace('.', ' ')} of {name!r} is {there[key]}, not {here[key]}")
    return found


def _source(root: Path) -> Source:
    info = read_info(root)
    if not info.total_episodes:
        raise DatasetError(f"{root} has no episodes.")
    table = episodes.read_table(root, info, with_statistics=True)
    return Source(root, info, read_tasks(root), episodes.rows_of(table, info), table)
