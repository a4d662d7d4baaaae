"""``EnvRecorder``: records one environment into a session while the driver steps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isaac_lerobot.recording import DeviceOffer, Outcome, RecordingConfig, Selection, Session, Snapshot, TaskOffer
from isaac_lerobot.sim.env.offer import inspect_env
from isaac_lerobot.sim.env.success import CountingJudge
from isaac_lerobot.sim.env.tap import StepTap
from isaac_lerobot.sim.recorder import EpisodeRecorder


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
        self.offer: TaskOffer = inspect_env(env, task, devices, session.config.success_term)
        self._session = session
        self._judge = CountingJudge(env, session)
        self._recorder = EpisodeRecorder(env, session, self.offer, self._judge)
        self._ended: set[int] = set()
        self._tap = StepTap(env, self._recorder.record_step, self._on_reset)

    def start(self, config: RecordingConfig, selection: Selection) -> dict[str, Any]:
        """Make ready to record ``selection``; return JSON-able facts about the environment."""
        return self._recorder.start(config, selection)

    def snapshot(self, env_id: int) -> Snapshot:
        """Return the scene's state and the seed."""
        return self._recorder.snapshot(env_id)

    def step_ended(self) -> tuple[list[int], list[int]]:
        """Tell that ``env.step`` has returned.

        Returns:
            The environments whose episode ended by itself during the step (the environment has reset them), and
            those whose episode has just ended because they succeeded (the caller is to reset them).
        """
        ended = sorted(self._ended)
        self._ended.clear()
        self.forget(ended)
        recorded = self._recorder.recorded(range(self.offer.num_envs))
        succeeded = [env_id for env_id in recorded if self._judge.succeeded()[env_id] and env_id not in ended]
        for env_id in succeeded:
            self._session.end(env_id, Outcome.SUCCESS)
        self.forget(succeeded)
        return ended, succeeded

    def forget(self, env_ids: Iterable[int]) -> None:
        """Count success anew for environments that were reset."""
        self._judge.forget(env_ids)

    def close(self) -> None:
        """Leave the environment as it was found."""
        self._tap.remove()
        self._judge.close()

    def _on_reset(self, env_ids: Sequence[int]) -> None:
        self._ended.update(self._recorder.end_episodes(env_ids))
