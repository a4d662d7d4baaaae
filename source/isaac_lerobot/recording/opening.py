"""``open_dataset``: the one rule for whether a folder's dataset is continued, made or replaced, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset import DatasetWriter, VideoCodec, holds_dataset
from isaac_lerobot.dataset.write.writer import OnCommitted, OnFailed

SUFFIX = ".lerobot"
_FAILED = "_failed"


@dataclass(frozen=True)
class DatasetSchema:
    """What every episode of a dataset is like.

    Attributes:
        fps: Frames per second [1/s].
        features: LeRobot's feature definitions, without the bookkeeping ones.
        robot_type: Name of the robot; None: whatever a dataset that is there says.
        codec: Video encoder, see :meth:`.VideoCodec.parse`.
    """

    fps: int
    features: Mapping[str, Any]
    robot_type: str | None = None
    codec: VideoCodec | str = "h264"


def open_dataset(
    root: Path,
    schema: DatasetSchema,
    *,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
    on_committed: OnCommitted | None = None,
    on_failed: OnFailed | None = None,
) -> DatasetWriter:
    """Continue the dataset in a folder; make one where there is none, or where it is to be replaced.

    Args:
        root: The folder.
        schema: What is to be recorded.
        overwrite: Whether to replace a dataset that is there.
        attributes: What is kept of a new dataset, see :meth:`.DatasetWriter.create`.
        on_committed: See :class:`.DatasetWriter`.
        on_failed: See :class:`.DatasetWriter`.

    Raises:
        FeatureError: The features cannot be used, or are not those of the dataset; lists every difference.
        DatasetError: The folder holds something else, or another process is writing there.
    """
    if holds_dataset(root) and not overwrite:
        return DatasetWriter.append(
            root,
            schema.fps,
            schema.features,
            schema.robot_type,
            schema.codec,
            on_committed=on_committed,
            on_failed=on_failed,
        )
    return DatasetWriter.create(
        root,
        schema.fps,
        schema.features,
        schema.robot_type,
        codec=schema.codec,
        overwrite=overwrite,
        attributes=attributes,
        on_committed=on_committed,
        on_failed=on_failed,
    )


def failed_root(root: Path) -> Path:
    """Return the folder for failed episodes beside a dataset's: ``cubes_failed``, ``cubes_failed.lerobot``."""
    suffix = SUFFIX if root.suffix == SUFFIX else ""
    return root.with_name(f"{root.name.removesuffix(suffix)}{_FAILED}{suffix}")


def root_of_file(file_path: str) -> Path:
    """Return the folder of the dataset that stands for an HDF5 file, as Isaac Lab and its scripts name one.

    ``.hdf5`` becomes ``.lerobot``, a name without suffix gets one, and ``cubes.lerobot_failed``, which is what Isaac
    Lab makes of a name for failed episodes, becomes ``cubes_failed.lerobot``.
    """
    path = Path(file_path).expanduser().absolute()
    name = path.name.removesuffix(_FAILED)
    root = path.with_name(name.removesuffix(".hdf5").removesuffix(SUFFIX) + SUFFIX)
    return failed_root(root) if name != path.name else root
