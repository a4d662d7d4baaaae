"""``StreamedEpisode``: an episode that goes to the dataset frame by frame, and what its recorder manager is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import DatasetWriter, Episode
from isaac_lerobot.episode_data.layout import EpisodeLayout

STREAMED = "lerobot"
"""The one entry of the ``EpisodeData`` of a streamed episode; its value is the :class:`StreamedEpisode`."""


@dataclass(frozen=True)
class StreamSchema:
    """What a dataset has to be like for an episode to go into it.

    Attributes:
        features: LeRobot's feature definitions.
        fps: Frames per second [1/s].
        layout: Where the features come from in ``EpisodeData``.
        task: What the robot does, in words.
        codec: Video encoder.
        robot_type: Name of the robot.
        overwrite: Whether to replace a dataset that is there.
        env_name: Name of the environment.
        env_args: Facts about it, JSON.
    """

    features: dict[str, dict[str, Any]]
    fps: int
    layout: EpisodeLayout
    task: str
    codec: str = "h264"
    robot_type: str | None = None
    overwrite: bool = False
    env_name: str | None = None
    env_args: Mapping[str, Any] = field(default_factory=dict)


class StreamedEpisode:
    """An episode of one environment.

    Isaac Lab's recorder manager leaves an empty ``EpisodeData`` out when it exports. This object stands in there for
    all frames, and comes back to the file handler when the manager has decided that the episode is to be kept.

    Args:
        schema: What it consists of.
        writing: The open episode of a dataset.
        initial_state: The scene's state when it began, by path, each of shape ``(1, …)``.
    """

    def __init__(self, schema: StreamSchema, writing: Episode, initial_state: Mapping[str, Any]) -> None:
        self.schema = schema
        self._writing = writing
        self._initial_state = dict(initial_state)
        self._empty: dict[str, NDArray[Any]] = {}

    @property
    def is_open(self) -> bool:
        """Whether it is neither saved nor thrown away."""
        return self._writing.is_open

    def add(self, frame: Mapping[str, Any], beside: Mapping[str, NDArray[Any]]) -> None:
        """Add a frame, and numbers that are kept beside the dataset."""
        # The joints of an asset without joints: nothing to write per frame, but there to be found again.
        self._empty = {path: value for path, value in beside.items() if not value.size}
        self._writing.add_frame(frame, extra={path: value for path, value in beside.items() if value.size})

    def save(
        self,
        success: bool | None,
        attributes: Mapping[str, Any],
        arrays: Mapping[str, Any],
        into: DatasetWriter,
    ) -> bool:
        """Save it into a dataset; return whether there was anything to save."""
        if not len(self._writing):
            self.discard()
            return False
        steps = len(self._writing)
        together = {f"initial_state/{path}": value for path, value in self._initial_state.items()}
        together |= {path: np.empty((steps, *value.shape), value.dtype) for path, value in self._empty.items()}
        self._writing.save(success, attributes=attributes, arrays={**together, **arrays}, into=into)
        return True

    def discard(self) -> None:
        """Throw it away, if it is not saved."""
        self._writing.discard()
