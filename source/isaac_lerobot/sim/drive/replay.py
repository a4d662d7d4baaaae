"""``Replay``: plays recorded episodes back in the simulator, from the states that were kept beside the dataset."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isaac_lerobot.dataset import DatasetReader, RecordedEpisode
from isaac_lerobot.episode_data.states import Array, SceneStates
from isaac_lerobot.episode_data.tensors import nested
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.recording.offer import find_success_term
from isaac_lerobot.sim.drive.pace import Pace
from isaac_lerobot.sim.env.environment import ManagerBasedRLEnvironment
from isaac_lerobot.sim.env.frames import scene_state
from isaac_lerobot.sim.env.success import PatientSuccessTerm

_QUATERNION = slice(3, 7)


@dataclass(frozen=True)
class Deviation:
    """The largest difference of one state between recording and replay.

    Attributes:
        value: The difference, in the state's own units.
        frame: The step after which it occurred.
    """

    value: float
    frame: int


@dataclass
class ReplayReport:
    """What came of playing one episode back.

    Attributes:
        index: Index of the episode.
        frames: Steps played.
        recorded_success: What the dataset says.
        replayed_success: What the task's success term said after the last step, None where the task has none.
        deviations: By state; empty where states were not compared, or not kept.
    """

    index: int
    frames: int = 0
    recorded_success: bool | None = None
    replayed_success: bool | None = None
    deviations: dict[str, Deviation] = field(default_factory=dict)


class Replay:
    """Plays episodes of a dataset in an environment.

    While it lasts, no termination term ends an episode, so that the scene after the last step can be looked at.

    Args:
        env: The unwrapped manager-based environment; episodes are played in its first one.
        dataset: The dataset.
        step_hz: Wall-clock steps per second [1/s]; 0: as fast as possible.
        success_term: The termination term that means success, see :func:`.find_success_term`.

    Raises:
        TaskError: The task has no such success term.
    """

    def __init__(
        self,
        env: ManagerBasedRLEnvironment,
        dataset: DatasetReader,
        step_hz: float = 0.0,
        success_term: str | None = None,
    ) -> None:
        self._env = env
        self._dataset = dataset
        self._pace = Pace(step_hz)
        judge = find_success_term("the task", env.termination_manager.active_terms, success_term)
        self._functions = _disarm(env, judge)
        self._success_term = PatientSuccessTerm(env, judge) if judge is not None else None

    def close(self) -> None:
        """Leave the environment as it was found."""
        if self._success_term is not None:
            self._success_term.remove()
        for name, function in self._functions.items():
            self._env.termination_manager.get_term_cfg(name).func = function

    def play_actions(self, index: int, *, compare: bool, on_frame: Callable[[int], None]) -> ReplayReport:
        """Set the scene as it was and apply the recorded actions.

        Args:
            index: Index of the episode.
            compare: Whether to compare the states after each step with the recorded ones.
            on_frame: Called after each step with the number of steps so far.

        Raises:
            DatasetError: The episode was kept without its initial state, or its actions do not fit the task.
        """
        episode = self._dataset.episode(index)
        states = self._states(episode)
        actions = self._actions(episode)
        comparison = _Comparison(states.after if compare else {})
        self._reset_to(states.initial, episode)
        for frame in self._paced(range(episode.length)):
            self._env.step(self._batch(actions[frame]))
            comparison.add(frame, {name: value[0] for name, value in scene_state(self._env).items()})
            on_frame(frame + 1)
        return ReplayReport(index, episode.length, episode.success, self._holds(), comparison.largest)

    def play_states(self, index: int, *, on_frame: Callable[[int], None]) -> ReplayReport:
        """Set the scene, frame by frame, to the recorded states; no physics is simulated.

        Args:
            index: Index of the episode.
            on_frame: Called after each frame with the number of frames so far.

        Raises:
            DatasetError: The episode was kept without states.
        """
        episode = self._dataset.episode(index)
        states = self._states(episode)
        if not states.after:
            raise DatasetError(f"Episode {index} of {self._dataset.root} was kept without states. Play its actions.")
        self._reset_to(states.initial, episode)
        for frame in self._paced(range(episode.length)):
            state = {name: values[frame] for name, values in states.after.items()}
            self._env.scene.reset_to(self._nested(state), self._first_env(), is_relative=True)
            self._env.sim.forward()
            self._env.sim.render()
            on_frame(frame + 1)
        # The terms look at the scene as it now is.
        self._env.termination_manager.compute()
        return ReplayReport(index, episode.length, episode.success, self._holds())

    def _states(self, episode: RecordedEpisode) -> SceneStates:
        states = SceneStates.of(episode.sidecar())
        if not states.initial:
            raise DatasetError(
                f"Episode {episode.index} of {self._dataset.root} was kept without its initial state, so there is "
                "nothing to start from. Only datasets that were recorded by, or converted with, isaac-lerobot have it."
            )
        return states

    def _actions(self, episode: RecordedEpisode) -> Array:
        actions: Array = episode["action"].reshape(episode.length, -1)
        width = self._env.action_manager.total_action_dim
        if actions.shape[1] != width:
            raise DatasetError(
                f"The actions of {self._dataset.root} are {actions.shape[1]} numbers, and the task takes {width}. Name "
                "the task they were recorded with (--task)."
            )
        return actions

    def _reset_to(self, state: Mapping[str, Array], episode: RecordedEpisode) -> None:
        try:
            seed = episode.sidecar().attributes.get("seed")
            self._env.reset_to(self._nested(state), self._first_env(), seed=seed, is_relative=True)
        except KeyError as error:
            raise DatasetError(
                f"Episode {episode.index} of {self._dataset.root} does not say how {error} stood, which is in the "
                "task's scene. Name the task it was recorded with (--task)."
            ) from None

    def _nested(self, state: Mapping[str, Array]) -> dict[str, Any]:
        import torch

        device = self._env.device
        batches = {name: torch.as_tensor(np.array(value), device=device)[None] for name, value in state.items()}
        kinds: dict[str, Any] = {kind: {} for kind in self._env.scene.get_state()}
        return kinds | nested(batches)

    def _first_env(self) -> Any:
        import torch

        return torch.zeros(1, dtype=torch.int32, device=self._env.device)

    def _batch(self, action: Array) -> Any:
        import torch

        batch = torch.as_tensor(action, dtype=torch.float32, device=self._env.device)
        return batch.repeat(self._env.num_envs, 1)

    def _holds(self) -> bool | None:
        return None if self._success_term is None else bool(self._success_term.steps[0] > 0)

    def _paced(self, frames: range) -> Iterator[int]:
        for frame in frames:
            time.sleep(self._pace.remaining())
            self._pace.stepped()
            yield frame


class _Comparison:
    """Remembers the largest deviation of each state."""

    def __init__(self, recorded: Mapping[str, Array]) -> None:
        self._recorded = recorded
        self.largest: dict[str, Deviation] = {}

    def add(self, frame: int, replayed: Mapping[str, Array]) -> None:
        for name, recorded in self._recorded.items():
            if name not in replayed or recorded[frame].size == 0:
                continue
            value = float(_difference(name, recorded[frame], replayed[name]).max())
            if name not in self.largest or value > self.largest[name].value:
                self.largest[name] = Deviation(value, frame)


class _NeverEnds:
    """In the place of a termination term's function: nothing has ended."""

    def __init__(self, num_envs: int, device: Any) -> None:
        import torch

        self._verdict = torch.zeros(num_envs, dtype=torch.bool, device=device)

    def __call__(self, env: ManagerBasedRLEnvironment, **params: Any) -> Any:
        """Return False for every environment; shape ``(num_envs,)``."""
        return self._verdict

    def reset(self, env_ids: Any = None) -> None:
        """There is nothing to reset."""


def _difference(name: str, recorded: Array, replayed: Array) -> Array:
    """Return absolute differences; quaternions q and -q are the same orientation."""
    difference: Array = np.abs(recorded - replayed)
    if name.endswith("root_pose") and recorded.shape[-1] == 7:
        other = np.abs(recorded[..., _QUATERNION] + replayed[..., _QUATERNION])
        turned = other.max(axis=-1, keepdims=True) < difference[..., _QUATERNION].max(axis=-1, keepdims=True)
        difference[..., _QUATERNION] = np.where(turned, other, difference[..., _QUATERNION])
    return difference


def _disarm(env: ManagerBasedRLEnvironment, judge: str | None) -> dict[str, Any]:
    """Make all termination terms but the one that judges inert; return their functions by name."""
    manager = env.termination_manager
    functions = {}
    for name in manager.active_terms:
        if name != judge:
            cfg = manager.get_term_cfg(name)
            functions[name], cfg.func = cfg.func, _NeverEnds(env.num_envs, env.device)
    return functions
