"""The LeRobot v3.0 format on disk: features, statistics, video, tables, writer, reader, check and repair.

Importing this package is cheap: its parts, and numpy and pyarrow with them, are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isaac_lerobot.dataset.check import check_dataset
    from isaac_lerobot.dataset.compact import compact_dataset
    from isaac_lerobot.dataset.episode import Episode
    from isaac_lerobot.dataset.reader import DatasetReader
    from isaac_lerobot.dataset.repair import repair_dataset
    from isaac_lerobot.dataset.sidecar import Sidecar, read_sidecar
    from isaac_lerobot.dataset.video import VideoCodec
    from isaac_lerobot.dataset.writer import DatasetWriter, WriterStatus

__all__ = [
    "DatasetReader",
    "DatasetWriter",
    "Episode",
    "Sidecar",
    "VideoCodec",
    "WriterStatus",
    "check_dataset",
    "compact_dataset",
    "read_sidecar",
    "repair_dataset",
]

_MODULES = {
    "DatasetReader": "reader",
    "DatasetWriter": "writer",
    "WriterStatus": "writer",
    "Episode": "episode",
    "VideoCodec": "video",
    "Sidecar": "sidecar",
    "read_sidecar": "sidecar",
    "check_dataset": "check",
    "compact_dataset": "compact",
    "repair_dataset": "repair",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
