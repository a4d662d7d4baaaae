"""``EnvRecorder``: records one environment into a session while somebody steps it."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from isaac_lerobot.recording import DeviceOffer, Outcome, RecordingConfig, Selection, Session, Snapshot, TaskOffer
from isaac_lerobot.recording.success import SuccessCounter
from isaac_lerobot.sim.frames import FrameReader
from isaac_lerobot.sim.inspection import inspect_env
from isaac_lerobot.sim.state import scene_state
from isaac_lerobot.sim.success_term import InertSuccessTerm
from isaac_lerobot.sim.tap import StepTap

_PACKAGES = ("isaaclab", "isaacsim", "isaac-lerobot", "torch", "numpy")


class EnvRecorder:
    """Feeds a session from an environment's steps, judges episodes and closes those that end by themselves.

    Args:
        env: The unwrapped manager-based RL environment, after its first reset.
        session: The session to feed.
        task: Id of the task.
        devices: The devices that could drive it.

    Raises:
        TaskError: The environment's rate cannot be held by the format.
    """

    def __init__(self, env: Any, session: Session, task: str, devices: Iterable[DeviceOffer] = ()) -> None:
        self.env = env
        self.offer: TaskOffer = inspect_env(env, task, devices)
        self._session = session
        self._reader: FrameReader | None = None
        self._counter = SuccessCounter(self.offer.num_envs, 1)
        self._success_term = InertSuccessTerm(env) if self.offer.has_success_term else None
        self._judged = True
        self._ended: set[int] = set()
        self._tap = StepTap(env, self._on_step, self._on_reset)

    def start(self, config: RecordingConfig, selection: Selection) -> dict[str, Any]:
        """Make ready to record ``selection``; return JSON-able facts about the environment."""
        self._reader = FrameReader(self.env, selection)
        self._counter = SuccessCounter(self.offer.num_envs, config.num_success_steps)
        return environment_facts(self.env, self.offer.task)

    def snapshot(self, env_id: int) -> Snapshot:
        """Return the scene's state and the seed."""
        state = {name: value[env_id] for name, value in scene_state(self.env).items()}
        return Snapshot({"seed": self.env.cfg.seed}, state)

    def step_ended(self) -> tuple[list[int], list[int]]:
        """Tell that ``env.step`` has returned.

        Returns:
            The environments whose episode ended by itself during the step (the environment has reset them), and
            those whose episode has just ended because they succeeded (the caller is to reset them).
        """
        ended = sorted(self._ended)
        self._ended.clear()
        self.forget(ended)
        recorded = [env_id for env_id in range(self.offer.num_envs) if self._session.records(env_id)]
        succeeded = [env_id for env_id in recorded if self._judge()[env_id] and env_id not in ended]
        for env_id in succeeded:
            self._session.end(env_id, Outcome.SUCCESS)
        self.forget(succeeded)
        return ended, succeeded

    def forget(self, env_ids: Iterable[int]) -> None:
        """Count success anew for environments that were reset."""
        for env_id in env_ids:
            self._counter.reset(env_id)

    def close(self) -> None:
        """Leave the environment as it was found."""
        self._tap.remove()
        if self._success_term is not None:
            self._success_term.remove()

    def _on_step(self) -> None:
        """Record the pair of observation and action of this step, from within ``env.step``."""
        self._judged = False
        env_ids = [env_id for env_id in range(self.offer.num_envs) if self._session.records(env_id)]
        if self._reader is None or not env_ids:
            return
        states = scene_state(self.env)
        for env_id, frame in zip(env_ids, self._reader.read(env_ids), strict=True):
            extra = {f"state/{name}": value[env_id] for name, value in states.items()}
            self._session.record(env_id, frame, extra)

    def _on_reset(self, env_ids: Sequence[int]) -> None:
        """Close and judge the episodes of environments that are about to be reset, their last state still there."""
        running = [env_id for env_id in env_ids if self._session.records(env_id)]
        if not running:
            return
        succeeded = self._judge()
        timed_out = self.env.termination_manager.time_outs
        for env_id in running:
            if succeeded[env_id]:
                outcome = Outcome.SUCCESS
            elif timed_out[env_id] and not self._session.judged_by_term:
                outcome = Outcome.UNDECIDED
            else:
                outcome = Outcome.FAILURE
            self._ended.add(env_id)
            self._session.end(env_id, outcome)

    def _judge(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which environments have succeeded by the term, shape ``(num_envs,)``; counts each step once."""
        if not self._session.judged_by_term or self._success_term is None:
            return np.zeros(self.offer.num_envs, dtype=np.bool_)
        if not self._judged:
            self._judged = True
            self._counter.update(self._success_term.holds)
            self._session.report_success_steps(int(self._counter.steps.max()))
        return self._counter.steps >= self._counter.num_steps


def environment_facts(env: Any, task: str) -> dict[str, Any]:
    """Return what there is to know of an environment besides its frames, as JSON-able values."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    sim_args: Mapping[str, Any] = {
        "dt": env.cfg.sim.dt,
        "decimation": env.cfg.decimation,
        "render_interval": env.cfg.sim.render_interval,
        "num_envs": env.cfg.scene.num_envs,
    }
    return {"env_name": task, "env_args": {"sim_args": sim_args}, "device": str(env.device), "versions": versions}
