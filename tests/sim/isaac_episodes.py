"""Isaac Lab's episodes: recorded by its own HDF5 handler and by ours at once, and compared term by term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from isaaclab.managers import TerminationTermCfg
from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from isaac_lerobot.sim.manager.streamed import STREAMED
from sim.counter_task import CounterSource

SUCCESS_PERIOD = 19


def succeeds(env: Any) -> torch.Tensor:
    """Whether the env's turn to succeed has come. Shape (N,)."""
    turn = 3 * torch.arange(env.num_envs, device=env.device) + 7
    return env.common_step_counter % SUCCESS_PERIOD == turn % SUCCESS_PERIOD


def success_term() -> TerminationTermCfg:
    return TerminationTermCfg(func=succeeds)


class BothHandlers(LeRobotDatasetFileHandler):
    """Writes each episode with Isaac Lab's HDF5 handler as well."""

    def create(self, file_path: str, env_name: str | None = None) -> None:
        super().create(file_path, env_name)
        self._hdf5 = HDF5DatasetFileHandler()
        self._hdf5.create(file_path, env_name)

    def write_episode(self, episode: EpisodeData, demo_id: int | None = None, compression: bool = True) -> None:
        collected = EpisodeData()
        collected.data = {key: value for key, value in episode.data.items() if key != STREAMED}
        collected.seed, collected.success = episode.seed, episode.success
        self._hdf5.write_episode(collected, demo_id, compression)
        if STREAMED in episode.data:
            episode.data = {STREAMED: episode.data[STREAMED]}
        super().write_episode(episode, demo_id, compression)

    def close(self) -> None:
        super().close()
        self._hdf5.close()


def play(env: Any, steps: int = 40, manual_reset_at: int | None = 24) -> None:
    """Step an env as a script would: a reset, actions that follow from the observation, a manual reset in between."""
    env.reset()
    source = CounterSource(env)
    for step in range(steps):
        if step == manual_reset_at:
            env.reset()
        env.step(source.advance())


def load_all(handler: Any, path: Path, **options: Any) -> dict[str, EpisodeData]:
    """Every episode of a dataset, by name."""
    handler.open(str(path))
    episodes = {name: handler.load_episode(name, "cpu", **options) for name in list(handler.get_episode_names())}
    handler.close()
    return episodes


def assert_equal(ours: Any, theirs: Any, path: str = "") -> None:
    """Compare two trees of tensors: names, dtypes, shapes and values, all exactly."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), path
        for name in theirs:
            assert_equal(ours[name], theirs[name], f"{path}/{name}")
        return
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), path
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=path)


def assert_same_episode(ours: EpisodeData, theirs: EpisodeData) -> None:
    assert_equal(ours.data, theirs.data)
    assert ours.success == theirs.success
    assert ours.seed == theirs.seed
