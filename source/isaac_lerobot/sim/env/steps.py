"""``StepReader``: the steps of an environment, on their way to whoever records them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.write.tensors import StagedFrame, TensorStaging
from isaac_lerobot.recording import Selection
from isaac_lerobot.sim.env.environment import Environment
from isaac_lerobot.sim.env.frames import FrameReader, processed_actions, scene_tensors
from isaac_lerobot.sim.env.stale import StaleSensors, late_pictures

Arrays = Mapping[str, NDArray[Any]]
Sink = Callable[[NDArray[np.int64], Arrays, Arrays, Arrays], None]

_PROCESSED = "processed_actions"


class StepReader:
    """Reads an environment once per step for all of its environments.

    What lies on the GPU is copied in the background, one copy per feature, and is handed over at one of the next steps.

    Args:
        env: The unwrapped environment.
        frames: Reads the features.
        selection: What it reads.
        sink: Is given each step in order: the environments it is of, the values by feature, the scene's state before
            the step by path, and what else is kept beside the dataset by path; arrays of shape ``(num_envs, …)``, valid
            during the call.
        warn: Is told what is wrong with what the environment gives.
    """

    def __init__(
        self, env: Environment, frames: FrameReader, selection: Selection, sink: Sink, warn: Callable[[str], None]
    ) -> None:
        self._env, self._frames, self._sink, self._warn = env, frames, sink, warn
        self._stale = StaleSensors(env, selection)
        self._late = late_pictures(env, selection)
        self._staging = TensorStaging()
        self._underway: deque[NDArray[np.int64]] = deque()

    def read(self, env_ids: NDArray[np.int64]) -> None:
        """Read the observations at hand and the actions just given, from within ``env.step``, before physics."""
        late, self._late = self._late, ""
        for message in filter(None, (late, self._stale.found())):
            self._warn(message)
        beside = scene_tensors(self._env)
        processed = processed_actions(self._env)
        if processed is not None:
            beside[_PROCESSED] = processed
        self._underway.append(env_ids)
        self._hand_over(self._staging.queue(self._staging.stage(self._frames.read(), beside)))

    def flush(self) -> None:
        """Hand over the steps that are still on their way from the GPU."""
        self._hand_over(self._staging.rest())

    def ending(self, env_ids: Sequence[int]) -> None:
        """Hear that environments are about to be reset, their last state still there."""
        self._stale.ending(env_ids)

    def _hand_over(self, arrived: Sequence[StagedFrame]) -> None:
        for step in arrived:
            states = dict(step.extra or {})
            beside = {name: states.pop(name) for name in (_PROCESSED,) if name in states}
            self._sink(self._underway.popleft(), step.frame, states, beside)
            self._staging.give_back(step)
