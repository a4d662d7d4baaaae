"""The recorders of the benchmark, each behind the same four methods. Imports happen where a recorder is made: ours and
Isaac Lab's live in one environment, lerobot in another.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Protocol

import numpy as np

CAMERAS = ("front", "wrist")
FPS = 50
TASK = "Pick up the cube"


class Recorder(Protocol):
    """Records episodes into a folder of its own."""

    def begin(self) -> None:
        """Begin an episode."""

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        """Add a frame: float32 ``(14,)``, float32 ``(7,)``, uint8 ``(2, H, W, 3)``."""

    def end(self) -> None:
        """End the episode and return once it is on the disk as far as the recorder brings it there."""

    def close(self) -> None:
        """Complete the dataset."""


def make(name: str, root: Path, height: int, width: int) -> Recorder:
    """Return a recorder by its name in the table."""
    kind, _, variant = name.partition(":")
    return _KINDS[kind](root, height, width, variant)


def features(height: int, width: int) -> dict[str, Any]:
    """Return the features of the benchmark's dataset."""
    picture = {"dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}
    return {
        "observation.state": {"dtype": "float32", "shape": (14,), "names": [f"s{i}" for i in range(14)]},
        "action": {"dtype": "float32", "shape": (7,), "names": [f"a{i}" for i in range(7)]},
        **{f"observation.images.{camera}": dict(picture) for camera in CAMERAS},
    }


class Memcpy:
    """The lower limit of any recorder: copies the frame into a ring."""

    def __init__(self, root: Path, height: int, width: int, variant: str) -> None:
        self._ring = np.zeros((30, 2, height, width, 3), np.uint8)
        self._next = 0

    def begin(self) -> None:
        pass

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        np.copyto(self._ring[self._next], pictures)
        self._next = (self._next + 1) % 30

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


class Ours:
    """``isaac_lerobot.dataset.DatasetWriter``; the variant is a codec."""

    def __init__(self, root: Path, height: int, width: int, variant: str) -> None:
        from isaac_lerobot.dataset import DatasetWriter

        codec = {"codec": variant} if variant else {}
        self._writer = DatasetWriter.create(root, FPS, features(height, width), **codec)

    def begin(self) -> None:
        self._episode = self._writer.begin_episode(TASK)

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        frame = {"observation.state": state, "action": action}
        self._episode.add_frame(
            frame | {f"observation.images.{camera}": pictures[i] for i, camera in enumerate(CAMERAS)}
        )

    def end(self) -> None:
        self._episode.save(success=True)
        self._writer.wait()

    def close(self) -> None:
        self._writer.close()


class LeRobot:
    """``LeRobotDataset``: ``default``, ``threads`` (image_writer_threads=4), ``stream``, ``stream-h264``."""

    def __init__(self, root: Path, height: int, width: int, variant: str) -> None:
        from lerobot.configs.video import RGBEncoderConfig
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        options: dict[str, Any] = {
            "default": {},
            "threads": {"image_writer_threads": 4},
            "stream": {"streaming_encoding": True},
            "stream-h264": {
                "streaming_encoding": True,
                "rgb_encoder": _same_options(RGBEncoderConfig),
            },
        }[variant]
        self._dataset = LeRobotDataset.create("bench/bench", FPS, features(height, width), root=root, **options)

    def begin(self) -> None:
        pass

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        frame = {"observation.state": state, "action": action, "task": TASK}
        self._dataset.add_frame(
            frame | {f"observation.images.{camera}": pictures[i] for i, camera in enumerate(CAMERAS)}
        )

    def end(self) -> None:
        self._dataset.save_episode()

    def close(self) -> None:
        self._dataset.finalize()


def _same_options(config: Any) -> Any:
    """lerobot's configuration of our default codec, by the description of it that we write into datasets."""
    from isaac_lerobot.dataset.video.codec import VideoCodec

    return config.from_video_info(VideoCodec().info(480, 640, FPS))


class Hdf5:
    """Isaac Lab's HDF5 handler, fed as its recorder manager feeds it: tensors cloned each step, written at the end."""

    def __init__(self, root: Path, height: int, width: int, variant: str) -> None:
        import torch
        from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

        self._torch, self._episode_type = torch, EpisodeData
        root.mkdir(parents=True)
        self._handler = HDF5DatasetFileHandler()
        self._handler.create(str(root / "bench.hdf5"), env_name="bench")

    def begin(self) -> None:
        self._episode = self._episode_type()

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        values = {"actions": action, "obs/joint_pos": state}
        values |= {f"obs/{camera}": pictures[i] for i, camera in enumerate(CAMERAS)}
        for key, value in values.items():
            # RecorderManager.add_to_episodes clones every environment's part of a term.
            self._episode.add(key, self._torch.from_numpy(value).clone())

    def end(self) -> None:
        self._episode.pre_export()
        self._episode.success = True
        self._handler.write_episode(self._episode)
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()


class BareFfmpeg:
    """The video half alone: one ffmpeg per camera with our options, frames written to its pipe."""

    def __init__(self, root: Path, height: int, width: int, variant: str) -> None:
        from isaac_lerobot.dataset.video.codec import VideoCodec
        from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

        codec = VideoCodec.parse("h264")
        self._command = [find_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        self._command += ["-video_size", f"{width}x{height}", "-framerate", str(FPS), "-threads", "1", "-i", "pipe:0"]
        self._command += ["-filter_threads", "1", *codec.arguments(height, width)]
        self._root, self._count = root, 0
        root.mkdir(parents=True)

    def begin(self) -> None:
        self._processes = [
            subprocess.Popen([*self._command, str(self._root / f"{self._count}-{camera}.mp4")], stdin=subprocess.PIPE)
            for camera in CAMERAS
        ]
        self._count += 1

    def add(self, state: np.ndarray, action: np.ndarray, pictures: np.ndarray) -> None:
        for process, picture in zip(self._processes, pictures, strict=True):
            assert process.stdin is not None
            process.stdin.write(picture)

    def end(self) -> None:
        for process in self._processes:
            process.communicate()

    def close(self) -> None:
        pass


_KINDS: dict[str, Any] = {"memcpy": Memcpy, "ours": Ours, "lerobot": LeRobot, "hdf5": Hdf5, "ffmpeg": BareFfmpeg}
