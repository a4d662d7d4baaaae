"""Opening: how a folder becomes a dataset that a writer may write, new or as it was left."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot import __version__
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.format import layout, metadata
from isaac_lerobot.dataset.format.features import Feature, differences, parse_features
from isaac_lerobot.dataset.format.metadata import Info
from isaac_lerobot.dataset.video.codec import VideoCodec, check_encoder
from isaac_lerobot.dataset.write import commit, folder, join, repair
from isaac_lerobot.dataset.write.commit import DatasetState
from isaac_lerobot.errors import ConfigError, DatasetError, FeatureError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenDataset:
    """A dataset in order, with its lock held.

    Attributes:
        root: Its folder.
        lock: Keeps other processes out; to be released by who has the dataset.
        state: What is committed in it.
        codec: Encoder that makes videos like those in it.
        is_new: Whether it was made now, rather than opened as it was left.
        made_folder: Whether its folder was made for it.
    """

    root: Path
    lock: DatasetLock
    state: DatasetState
    codec: VideoCodec
    is_new: bool = False
    made_folder: bool = False


def create(
    root: Path,
    fps: int,
    features: Mapping[str, Any],
    robot_type: str | None,
    codec: VideoCodec | str,
    *,
    overwrite: bool,
    attributes: Mapping[str, Any] | None,
    data_files_size_in_mb: int,
    video_files_size_in_mb: int,
) -> OpenDataset:
    """Make a new dataset; the arguments and errors are those of :meth:`DatasetWriter.create`."""
    if "\n" in str(root):
        raise DatasetError(f"{str(root)!r} has a line break in its name. Choose another folder.")
    parsed = parse_features(features)
    metadata.check_json(attributes, "attributes of the dataset")
    chosen = _codec(codec)
    rate = _rate(fps)
    info = Info(
        fps=rate,
        features={name: _with_codec(feature, chosen, rate) for name, feature in parsed.items()},
        robot_type=robot_type,
        data_files_size_in_mb=data_files_size_in_mb,
        video_files_size_in_mb=video_files_size_in_mb,
    )
    if info.videos:
        check_encoder(chosen)
    made_folder = folder.check_usable(root, overwrite)
    with _lock(root, "make a dataset in") as lock:
        own = {"writer": f"isaac-lerobot {__version__}", "attributes": dict(attributes or {})}
        try:
            folder.clear(root, overwrite)
            state = commit.write_new_dataset(root, info, own)
        except Exception:
            with contextlib.suppress(OSError):  # else the next open brings back what was set aside
                folder.withdraw(root)
            raise
        return OpenDataset(root, lock, state, chosen, is_new=True, made_folder=made_folder)


def append(
    root: Path,
    fps: int | None,
    features: Mapping[str, Any] | None,
    robot_type: str | None,
    codec: VideoCodec | str | None,
) -> OpenDataset:
    """Open a dataset to go on; the arguments and errors are those of :meth:`DatasetWriter.append`."""
    if not (root / layout.INFO).is_file() and not folder.holds_dataset(root):
        raise DatasetError(f"{root} holds no LeRobot dataset to append to. Create one, or check the path.")
    with _lock(root, "open the dataset") as lock:
        for action in repair.recover(root):
            _log.warning("%s: %s", root, action)
        state = commit.read_state(root)
        if "success" not in state.table_schema.names:
            # Of another writer: readers want the same columns in all files of the episode table.
            join.join_files(root)
            state = commit.read_state(root)
        chosen = _codec(codec) if codec is not None else _codec_of(state.info)
        parsed = None if features is None else parse_features(features)
        found = differences_to(state.info, fps, parsed, robot_type, chosen)
        if found:
            raise FeatureError(f"Cannot append to {root}: " + "; ".join(found) + ".")
        if state.info.videos:
            check_encoder(chosen)
        return OpenDataset(root, lock, state, chosen)


def differences_to(
    info: Info, fps: int | None, features: Mapping[str, Feature] | None, robot_type: str | None, codec: VideoCodec
) -> list[str]:
    """Say in sentences how what is to be recorded differs from a dataset; None where anything goes.

    Args:
        info: The dataset's.
        fps: Frames per second.
        features: The features, without the bookkeeping ones.
        robot_type: Name of the robot.
        codec: Encoder of the videos.
    """
    found = []
    if fps is not None and fps != info.fps:
        found.append(f"fps is {fps}, the dataset has {info.fps}")
    if robot_type is not None and robot_type != info.robot_type:
        found.append(f"robot_type is {robot_type!r}, the dataset has {info.robot_type!r}")
    if features is not None:
        found += differences(features, info.features)
    for name, feature in info.videos.items():
        have = feature.info or {}
        height, width, _ = feature.shape
        for key, want in (("codec", codec.canonical), ("pix_fmt", codec.pixel_format(height, width))):
            present = have.get(f"video.{key}")
            if present is not None and present != want:
                found.append(f"the video {key} of {name!r} would be {want}, the dataset has {present}")
    return found


@contextlib.contextmanager
def _lock(root: Path, doing: str) -> Iterator[DatasetLock]:
    """Take the lock of a dataset, and let go of it only where an error ends the block."""
    lock = DatasetLock(root)
    try:
        yield lock
    except OSError as error:
        lock.release()
        raise DatasetError(f"Cannot {doing} {root}: {error}.") from error
    except BaseException:
        lock.release()
        raise


def _codec(codec: VideoCodec | str) -> VideoCodec:
    return codec if isinstance(codec, VideoCodec) else VideoCodec.parse(codec)


def _codec_of(info: Info) -> VideoCodec:
    """Return a codec that makes videos like those that a dataset has."""
    for feature in info.videos.values():
        found = feature.info or {}
        settings = [
            f"{key}={found[name]}"
            for key, name in (("crf", "video.crf"), ("gop", "video.g"), ("preset", "video.preset"))
            if found.get(name) is not None
        ]
        name = str(found.get("video.codec", "h264"))
        tuning = (found.get("video.extra_options") or {}).get("x264-params", "")
        try:
            codec = replace(VideoCodec.parse(":".join([name, ",".join(settings)])), x264_params=tuning)
            by_size = replace(codec, crf=None)
            # Our own default goes by the size of the picture: it is another one for the next camera.
            ours = tuning and by_size.quality(*feature.shape[:2]) == codec.crf
            return by_size if ours else codec
        except ConfigError:
            return VideoCodec.parse(name)
    return VideoCodec()


def _rate(fps: Any) -> int:
    is_number = isinstance(fps, int | float | np.integer | np.floating) and not isinstance(fps, bool)
    if not is_number or not float(fps).is_integer() or fps < 1:
        raise FeatureError(f"The frame rate must be a whole number of frames per second from 1 on, got {fps!r}.")
    return int(fps)


def _with_codec(feature: Feature, codec: VideoCodec, fps: int) -> Feature:
    if not feature.is_video:
        return feature
    height, width, _ = feature.shape
    try:
        info = codec.info(height, width, fps)
    except ConfigError as error:
        raise FeatureError(f"{feature.name!r}: {error}") from error
    return Feature(feature.name, feature.dtype, feature.shape, feature.names, info)
