"""Judges: who says how an episode ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.recording import Outcome, RecordingConfig, Session
from isaac_lerobot.recording.success import SuccessCounter
from isaac_lerobot.sim.env.hooks import listed
from isaac_lerobot.sim.env.success_term import SUCCESS, InertSuccessTerm


class Judge(Protocol):
    """Says how the episode of an environment that is about to be reset has ended."""

    def start(self, config: RecordingConfig) -> None:
        """Make ready for a recording."""

    def stepped(self) -> None:
        """Hear that a step is being made."""

    def outcome(self, env_id: int) -> Outcome:
        """Return how the episode of this environment ended, its last state still there."""

    def forget(self, env_ids: Iterable[int]) -> None:
        """Judge anew: these environments were reset."""

    def close(self) -> None:
        """Leave the environment as it was found."""


class CountingJudge:
    """Makes the task's success term inert, and takes it for success when it has held for some steps in a row.

    Args:
        env: The unwrapped manager-based RL environment.
        session: The session, which knows whether the term judges and shows the count.
    """

    def __init__(self, env: Any, session: Session) -> None:
        self._env = env
        self._session = session
        has_term = SUCCESS in env.termination_manager.active_terms
        self._term = InertSuccessTerm(env) if has_term else None
        self._counter = SuccessCounter(env.num_envs, 1)
        self._judged = True

    def start(self, config: RecordingConfig) -> None:
        """See :meth:`Judge.start`."""
        self._counter = SuccessCounter(self._env.num_envs, config.num_success_steps)
        self._session.report_success_steps(0)

    def stepped(self) -> None:
        """See :meth:`Judge.stepped`."""
        self._judged = False

    def outcome(self, env_id: int) -> Outcome:
        """See :meth:`Judge.outcome`."""
        if self.succeeded()[env_id]:
            return Outcome.SUCCESS
        if self._env.termination_manager.time_outs[env_id] and not self._session.judged_by_term:
            return Outcome.UNDECIDED
        return Outcome.FAILURE

    def succeeded(self) -> NDArray[np.bool_]:
        """Return which environments have succeeded, shape ``(num_envs,)``; counts each step once."""
        if not self._session.judged_by_term or self._term is None:
            return np.zeros(self._env.num_envs, dtype=np.bool_)
        if not self._judged:
            self._judged = True
            self._counter.update(self._term.holds)
            self._session.report_success_steps(int(self._counter.steps.max()))
        return self._counter.steps >= self._counter.num_steps

    def forget(self, env_ids: Iterable[int]) -> None:
        """See :meth:`Judge.forget`."""
        for env_id in env_ids:
            self._counter.reset(env_id)
        self._session.report_success_steps(int(self._counter.steps.max()))

    def close(self) -> None:
        """See :meth:`Judge.close`."""
        if self._term is not None:
            self._term.remove()


class WatchingJudge:
    """Changes nothing: takes the word of the script that steps the environment, or else of its terminations.

    Args:
        env: The unwrapped environment, of any kind.
        session: The session, which knows whether the success term judges.
    """

    def __init__(self, env: Any, session: Session) -> None:
        self._env = env
        self._session = session
        self._told: dict[int, bool] = {}

    def start(self, config: RecordingConfig) -> None:
        """See :meth:`Judge.start`."""

    def stepped(self) -> None:
        """See :meth:`Judge.stepped`."""

    def tell(self, env_ids: Any, success_values: Any) -> None:
        """Hear the script's word, as ``RecorderManager.set_success_to_episodes`` does."""
        for place, env_id in enumerate(listed(env_ids, self._env.num_envs)):
            self._told[env_id] = bool(success_values[place])

    def outcome(self, env_id: int) -> Outcome:
        """See :meth:`Judge.outcome`.

        Without a word of the script and without a success term: a failure where a termination ended the episode, and
        undecided where the time ran out, the script reset it, or the environment has no termination manager.
        """
        if env_id in self._told:
            return Outcome.SUCCESS if self._told[env_id] else Outcome.FAILURE
        terminations = getattr(self._env, "termination_manager", None)
        if terminations is None:
            return Outcome.UNDECIDED
        if self._session.judged_by_term:
            return Outcome.SUCCESS if terminations.get_term(SUCCESS)[env_id] else Outcome.FAILURE
        return Outcome.FAILURE if terminations.terminated[env_id] else Outcome.UNDECIDED

    def forget(self, env_ids: Iterable[int]) -> None:
        """See :meth:`Judge.forget`."""
        for env_id in env_ids:
            self._told.pop(env_id, None)

    def close(self) -> None:
        """See :meth:`Judge.close`."""
