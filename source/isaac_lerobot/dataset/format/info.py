"""Info: ``meta/info.json``, what the whole dataset is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature, read_features
from isaac_lerobot.dataset.format.json_file import check_json, look_into
from isaac_lerobot.errors import DatasetError

_MOST_FPS = 1_000_000


@dataclass(frozen=True)
class Info:
    """The content of ``info.json``.

    Attributes:
        fps: Frames per second.
        features: The features, without the bookkeeping ones.
        bookkeeping: The bookkeeping features, as they are declared.
        robot_type: Name of the robot, or None.
        total_episodes: Number of committed episodes.
        total_frames: Number of committed frames.
        total_tasks: Number of different task texts.
        chunks_size: Files per chunk folder.
        data_files_size_in_mb: Size from which a data file is not joined further [MiB].
        video_files_size_in_mb: Size from which a video file is not joined further [MiB].
        splits: Parts of the dataset as somebody divided it; None where all episodes are ``train``.
        extra: Further keys found in the file, which are kept.
    """

    fps: int
    features: Mapping[str, Feature]
    bookkeeping: Mapping[str, Feature] = field(default_factory=lambda: BOOKKEEPING)
    robot_type: str | None = None
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = layout.CHUNKS_SIZE
    data_files_size_in_mb: float = layout.DATA_FILES_SIZE_IN_MB
    video_files_size_in_mb: float = layout.VIDEO_FILES_SIZE_IN_MB
    splits: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def videos(self) -> dict[str, Feature]:
        """The features whose pictures lie in mp4 files."""
        return {name: feature for name, feature in self.features.items() if feature.is_video}

    @property
    def columns(self) -> dict[str, Feature]:
        """The features with a column in the data files, bookkeeping ones last."""
        own = {name: feature for name, feature in self.features.items() if not feature.is_video}
        return own | dict(self.bookkeeping)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        features = {**self.features, **self.bookkeeping}
        return {
            "codebase_version": layout.CODEBASE_VERSION,
            "fps": self.fps,
            "features": {name: feature.definition() for name, feature in features.items()},
            "total_episodes": self.total_episodes,
            "total_frames": self.total_frames,
            "total_tasks": self.total_tasks,
            "chunks_size": self.chunks_size,
            "data_files_size_in_mb": self.data_files_size_in_mb,
            "video_files_size_in_mb": self.video_files_size_in_mb,
            "data_path": layout.DATA_PATH,
            "video_path": layout.VIDEO_PATH if self.videos else None,
            "robot_type": self.robot_type,
            "splits": {"train": f"0:{self.total_episodes}"} if self.splits is None else dict(self.splits),
            **self.extra,
        }

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Info:
        """Read the content of the file.

        Raises:
            DatasetError: It is of another version of the format, or holds what no dataset can have; says what, as a
                clause.
        """
        version = content.get("codebase_version")
        if version != layout.CODEBASE_VERSION:
            raise DatasetError(
                f"is of the format version {version!r}, and only {layout.CODEBASE_VERSION!r} is known; "
                "lerobot's own converter brings older datasets there"
            )
        for key, standard in (("data_path", layout.DATA_PATH), ("video_path", layout.VIDEO_PATH)):
            if content.get(key) not in (None, standard):
                raise DatasetError(f"has the {key} {content[key]!r}; only {standard!r} is supported")
        fps = _fps(content.get("fps"))
        check_json(content, "content")
        if not isinstance(content.get("robot_type"), str | None):
            raise DatasetError(f"has the robot_type {content['robot_type']!r}, which is no text")
        features = read_features(content.get("features"))
        total = _whole(content, "total_episodes", 0)
        splits = content.get("splits")
        return cls(
            fps=fps,
            features={name: feature for name, feature in features.items() if name not in BOOKKEEPING},
            bookkeeping={name: features.get(name, feature) for name, feature in BOOKKEEPING.items()},
            robot_type=content.get("robot_type"),
            total_episodes=total,
            total_frames=_whole(content, "total_frames", 0),
            total_tasks=_whole(content, "total_tasks", 0),
            chunks_size=_whole(content, "chunks_size", layout.CHUNKS_SIZE, least=1),
            data_files_size_in_mb=_size(content, "data_files_size_in_mb", layout.DATA_FILES_SIZE_IN_MB),
            video_files_size_in_mb=_size(content, "video_files_size_in_mb", layout.VIDEO_FILES_SIZE_IN_MB),
            splits=splits if isinstance(splits, dict) and splits != {"train": f"0:{total}"} else None,
            extra={key: value for key, value in content.items() if key not in _KNOWN_KEYS},
        )


_KNOWN_KEYS = set(Info(fps=1, features={}).to_json())


def read_info(root: Path) -> Info:
    """Read ``info.json``.

    Raises:
        DatasetError: It is missing, cannot be read, or holds what cannot be used.
    """
    return read_info_with_content(root)[0]


def read_info_with_content(root: Path) -> tuple[Info, dict[str, Any]]:
    """Read ``info.json``; return it parsed and as it stands in the file.

    Raises:
        DatasetError: As :func:`read_info`.
    """
    path = root / layout.INFO
    content, problem = look_into(path)
    if problem == "is missing":
        raise DatasetError(
            f"{root} holds no LeRobot dataset: it has no {layout.INFO}. Name the folder that has meta/ and data/ in it."
        )
    if problem:
        raise DatasetError(f"{path} {problem}. Run `isaac-lerobot check` on the dataset.")
    try:
        return Info.parse(content), content
    except DatasetError as error:
        raise DatasetError(f"{path} {str(error).rstrip('.')}. Run `isaac-lerobot check` on the dataset.") from error


def _fps(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _MOST_FPS:
        raise DatasetError(f"has the fps {value!r}, which is no number of frames per second")
    if value != int(value):
        raise DatasetError(f"has the fps {value!r}; only a whole number of frames per second is supported")
    return int(value)


def _whole(content: Mapping[str, Any], key: str, default: int, least: int = 0) -> int:
    value = content.get(key, default)
    if type(value) is not int or not least <= value < 2**62:
        raise DatasetError(f"has the {key} {value!r}, which is no whole number from {least} on")
    return value


def _size(content: Mapping[str, Any], key: str, default: float) -> float:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
        raise DatasetError(f"has the {key} {value!r}, which is no size above 0")
    return value
