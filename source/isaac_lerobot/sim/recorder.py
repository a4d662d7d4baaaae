"""``Recorder``: turns an environment's steps and resets into a session's frames and episodes.

The only one: the driver, which steps an environment, and an attachment, which watches somebody else do so, tell it
when a step is made and when environments are about to be reset.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from isaac_lerobot.episode_data.layout import LAYOUT, EpisodeLayout
from isaac_lerobot.recording import RecordingConfig, Selection, Session, Snapshot, TaskOffer
from isaac_lerobot.sim.env.environment import Environment
from isaac_lerobot.sim.env.facts import TERMS, environment_facts, term_facts
from isaac_lerobot.sim.env.frames import FrameReader, scene_state
from isaac_lerobot.sim.env.steps import StepReader
from isaac_lerobot.sim.env.success import Judge, PatientJudge

_REPORT_PERIOD = 0.1
"""How often the success term's count is fetched for the panel [s]."""


class Recorder:
    """Records the environments of one scene.

    Args:
        env: The unwrapped environment.
        session: The session to feed.
        offer: What the environment offers.
        judge: Says how an episode has ended.
        make_reader: Returns what reads frames, for the environment and a selection.
    """

    def __init__(
        self,
        env: Environment,
        session: Session,
        offer: TaskOffer,
        judge: Judge,
        make_reader: Callable[[Any, Selection], FrameReader] = FrameReader,
    ) -> None:
        self.env = env
        self.offer = offer
        self.reader: FrameReader | None = None
        self._session = session
        self._judge = judge
        self._make_reader = make_reader
        self._steps: StepReader | None = None
        self._reported = 0.0

    def start(self, config: RecordingConfig, selection: Selection) -> dict[str, Any]:
        """Make ready to record ``selection``; return JSON-able facts about the environment."""
        self.reader = self._make_reader(self.env, selection)
        # A new one: nothing of a recording that broke off in the middle of a step belongs into this one.
        self._steps = StepReader(self.env, self.reader, selection, self._session.record, self._session.warn)
        self._judge.start(config)
        return {
            **environment_facts(self.env, self.offer.task),
            "success_term": self.offer.success_term,
            TERMS: term_facts(self.env, selection),
            LAYOUT: EpisodeLayout.of_selection(selection).to_json(),
        }

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        """Return the scene's state in these environments, and the seed; see :meth:`.recording.Host.snapshot`."""
        self.flush()
        state = scene_state(self.env)
        return Snapshot({"seed": self.env.cfg.seed}, {path: value[list(env_ids)] for path, value in state.items()})

    def record_step(self, without: Collection[int] = ()) -> None:
        """Record the observations and actions of this step, from within ``env.step``, before physics.

        Args:
            without: Environments to leave out.
        """
        env_ids = self._session.recording
        if without:
            env_ids = env_ids[~np.isin(env_ids, list(without))]
        if self._steps is None or not env_ids.size:
            return
        self._steps.read(env_ids)
        self._report_success()

    @property
    def success_steps(self) -> int:
        """Steps in a row for which the success term has held where it judges; waits for the simulation."""
        return self._judge.success_steps if isinstance(self._judge, PatientJudge) else 0

    def flush(self) -> None:
        """Hand over the frames that are still on their way from the GPU; whoever changes what is recorded does it."""
        if self._steps is not None:
            self._steps.flush()

    def end_episodes(self, env_ids: Sequence[int]) -> None:
        """Judge and end the running episodes of environments.

        To be called before they are reset, their last state still there.
        """
        recording = set(self._session.recording.tolist())
        ending = [env_id for env_id in env_ids if env_id in recording]
        if ending and self._steps is not None:
            self._steps.ending(ending)
            self._steps.flush()
            self._session.end(dict(zip(ending, self._judge.outcomes(ending), strict=True)))
        self._judge.forget(env_ids)

    def drop(self, env_ids: Sequence[int]) -> None:
        """Throw the running episodes of environments away."""
        self.flush()
        for env_id in env_ids:
            self._session.drop(env_id)
        self._judge.forget(env_ids)

    def forget(self, env_ids: Sequence[int]) -> None:
        """Judge environments anew that are reset without an episode to end."""
        self._judge.forget(env_ids)

    def close(self) -> None:
        """Leave the environment as it was found."""
        self._judge.close()

    def _report_success(self) -> None:
        now = time.monotonic()
        if now - self._reported > _REPORT_PERIOD:
            self._reported = now
            self._session.report_success_steps(self.success_steps)
