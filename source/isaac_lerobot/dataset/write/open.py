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
from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.format import episodes, layout
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature, differences, parse_features, unrecordable
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.json_file import check_json
from isaac_lerobot.dataset.format.own import OwnMetadata
from isaac_lerobot.dataset.video.codec import VideoCodec, tuning_in
from isaac_lerobot.dataset.video.engine import check_encoder
from isaac_lerobot.dataset.write import commit, join, overwrite
from isaac_lerobot.dataset.write.commit import DatasetState
from isaac_lerobot.dataset.write.recover import recover
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
    overwriting: bool,
    attributes: Mapping[str, Any] | None,
    data_files_size_in_mb: int,
    video_files_size_in_mb: int,
) -> OpenDataset:
    """Make a new dataset; the arguments and errors are those of :meth:`DatasetWriter.create`."""
    if "\n" in str(root):
        raise DatasetError(f"{str(root)!r} has a line break in its name. Choose another folder.")
    parsed = parse_features(features)
    check_json(attributes, "attributes of the dataset")
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
    made_folder = overwrite.check_usable(root, overwriting)
    with _lock(root, "make a dataset in") as lock:
        own = OwnMetadata(f"isaac-lerobot {__version__}", dict(attributes or {}))
        try:
            overwrite.clear(root, overwriting)
            state = commit.write_new_dataset(root, info, own)
        except Exception:
            with contextlib.suppress(OSError):  # else the next open brings back what was set aside
                overwrite.withdraw(root)
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
    if not (root / layout.INFO).is_file() and not overwrite.holds_dataset(root):
        raise DatasetError(f"{root} holds no LeRobot dataset to append to. Create one, or check the path.")
    with _lock(root, "open the dataset") as lock:
        parsed = None if features is None else parse_features(features)
        wanted = None if codec is None else _codec(codec)
        if (root / layout.INFO).is_file() and not join.is_interrupted(root) and not overwrite.is_pending(root):
            # Before anything is touched: it may be the wrong dataset.
            _check_fits(root, read_info(root), fps, parsed, robot_type, wanted)
        for action in recover(root):
            _log.warning("%s: %s", root, action)
        info = read_info(root)
        chosen = _check_fits(root, info, fps, parsed, robot_type, wanted)
        if info.videos:
            check_encoder(chosen)
        _adopt(root, info)
        return OpenDataset(root, lock, commit.read_state(root), chosen)


def _check_fits(
    root: Path,
    info: Info,
    fps: int | None,
    features: Mapping[str, Feature] | None,
    robot_type: str | None,
    codec: VideoCodec | None,
) -> VideoCodec:
    """Return the codec to go on with.

    Raises:
        FeatureError: Lists every difference between what is to be recorded and the dataset.
    """
    chosen = codec or _codec_of(info)
    found = unrecordable({**info.features, **info.bookkeeping})
    found = found or differences_to(info, fps, features, robot_type, chosen)
    found += [
        f"{name!r} is {feature.dtype} {feature.shape}, and must be {BOOKKEEPING[name].dtype} (1,)"
        for name, feature in info.bookkeeping.items()
        if feature != BOOKKEEPING[name]
    ]
    if found:
        raise FeatureError(f"Cannot append to {root}: " + "; ".join(found) + ".")
    return chosen


def _adopt(root: Path, info: Info) -> None:
    """Make a dataset that others wrote one that we may go on with; nothing of its rows and videos is touched."""
    if (root / layout.OWN_METADATA).is_file():
        return
    rows = episodes.read_rows(root, info)
    used = {layout.video_file(name, file) for row in rows for name, (file, _) in row.videos.items()}
    videos = [path.relative_to(root) for name in info.videos for _, path in layout.video_files(root, name)]
    own = OwnMetadata(
        writer=f"another, and isaac-lerobot {__version__} from episode {len(rows)} on",
        joined_episodes=len(rows),
        foreign_files=tuple(path.as_posix() for path in videos if path not in used),
    )
    # Readers want the same columns in all files of the episode table.
    if not join.join_files(root, untouched=len(rows), own=own):
        durable.replace_json(root, layout.OWN_METADATA, own.to_json())


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
        options = found.get("video.extra_options")
        tuning = tuning_in(options.get("x264-params") if isinstance(options, dict) else None)
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
