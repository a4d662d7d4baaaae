"""The LeRobot v3.0 format on disk: features, statistics, video, tables, writer, reader, check, repair and merge.

Importing this package is cheap: its parts, and numpy and pyarrow with them, are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isaac_lerobot.dataset.check import check_dataset
    from isaac_lerobot.dataset.format.sidecar import Sidecar, read_sidecar
    from isaac_lerobot.dataset.merge import merge_datasets
    from isaac_lerobot.dataset.read import DatasetReader, RecordedEpisode
    from isaac_lerobot.dataset.repair import compact_dataset, recover_dataset, salvage_dataset
    from isaac_lerobot.dataset.video.codec import VideoCodec
    from isaac_lerobot.dataset.write.episode import Episode
    from isaac_lerobot.dataset.write.overwrite import holds_dataset
    from isaac_lerobot.dataset.write.writer import DatasetWriter, WriterStatus

__all__ = [
    "DatasetReader",
    "DatasetWriter",
    "Episode",
    "RecordedEpisode",
    "Sidecar",
    "VideoCodec",
    "WriterStatus",
    "check_dataset",
    "compact_dataset",
    "holds_dataset",
    "merge_datasets",
    "read_sidecar",
    "recover_dataset",
    "salvage_dataset",
]

_MODULES = {
    "DatasetReader": "read",
    "RecordedEpisode": "read",
    "DatasetWriter": "write.writer",
    "WriterStatus": "write.writer",
    "Episode": "write.episode",
    "VideoCodec": "video.codec",
    "Sidecar": "format.sidecar",
    "read_sidecar": "format.sidecar",
    "check_dataset": "check",
    "compact_dataset": "repair",
    "holds_dataset": "write.overwrite",
    "recover_dataset": "repair",
    "salvage_dataset": "repair",
    "merge_datasets": "merge",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
