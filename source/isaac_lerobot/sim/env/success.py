"""Success: the task's term that judges it, and who says how an episode ended.

While recording, the function of the success term is replaced by a *patient* one, which ends the episode, as any
termination does, once it has held for some steps in a row. Success, failure and time-out so take one path, and no step
waits for the GPU: the steps are counted where the simulation is.

Removing the term instead would break rewards and observations that name it (Isaac Lab pull requests 7571, 7579).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.recording import Outcome, RecordingConfig, Session
from isaac_lerobot.sim.env.environment import Environment, ManagerBasedRLEnvironment, Tensor, TerminationManager


class PatientSuccessTerm:
    """Takes the place of the function of a termination term, and ends an episode after it has held for some steps.

    Args:
        env: The unwrapped environment, with a termination term of that name.
        name: Name of the term.

    Attributes:
        patience: Steps in a row for which the term has to hold; None: it never ends an episode.
        steps: Steps in a row for which it has held, int64 tensor of shape ``(num_envs,)`` on the simulation's device.
    """

    def __init__(self, env: ManagerBasedRLEnvironment, name: str) -> None:
        import torch

        self.patience: int | None = None
        self.steps = torch.zeros(env.num_envs, dtype=torch.int64, device=env.device)
        self._cfg = env.termination_manager.get_term_cfg(name)
        self._judge = self._cfg.func
        self._cfg.func = self

    def __call__(self, env: ManagerBasedRLEnvironment, **params: Any) -> Any:
        """Count, and say which episodes have succeeded; bool tensor of shape ``(num_envs,)``."""
        import torch

        holds = self._judge(env, **params).bool()
        self.steps = torch.where(holds, self.steps + 1, 0)
        if self.patience is None:
            return torch.zeros_like(holds)
        return self.steps >= self.patience

    def forget(self, env_ids: Sequence[int]) -> None:
        """Count anew in these environments."""
        self.steps[list(env_ids)] = 0

    def reset(self, env_ids: Any = None) -> None:
        """Pass a reset on to a term that keeps state between steps."""
        reset = getattr(self._judge, "reset", None)
        if callable(reset):
            reset(env_ids=env_ids)

    def remove(self) -> None:
        """Make the term end episodes by itself again."""
        self._cfg.func = self._judge


class Judge(Protocol):
    """Says how the episodes of environments that are about to be reset have ended."""

    def start(self, config: RecordingConfig) -> None:
        """Make ready for a recording."""

    def outcomes(self, env_ids: Sequence[int]) -> list[Outcome]:
        """Return how the episodes of these environments ended, their last state still there."""

    def forget(self, env_ids: Iterable[int]) -> None:
        """Judge anew: these environments are being reset."""

    def close(self) -> None:
        """Leave the environment as it was found."""


class PatientJudge:
    """Judges by the task's success term, made patient, where the term is to judge; else by the terminations.

    Args:
        env: The unwrapped manager-based RL environment.
        session: The session, which knows whether the term judges.
        term: Name of the success term, None where the task has none.
    """

    def __init__(self, env: ManagerBasedRLEnvironment, session: Session, term: str | None) -> None:
        self._env = env
        self._session = session
        self._term = PatientSuccessTerm(env, term) if term is not None else None

    def start(self, config: RecordingConfig) -> None:
        """See :meth:`Judge.start`."""
        if self._term is not None:
            self._term.patience = config.num_success_steps if self._session.judged_by_term else None
            self._term.forget(range(self._env.num_envs))

    @property
    def success_steps(self) -> int:
        """Steps in a row for which the term has held, in the furthest environment; waits for the simulation."""
        return 0 if self._term is None or self._term.patience is None else int(self._term.steps.max())

    def outcomes(self, env_ids: Sequence[int]) -> list[Outcome]:
        """See :meth:`Judge.outcomes`.

        Where a person judges, a time-out is undecided; a reset that no termination asked for always is.
        """
        succeeded = None
        if self._term is not None and self._term.patience is not None:
            succeeded = self._term.steps >= self._term.patience
        return _by_terminations(
            self._env.termination_manager, self._env, env_ids, succeeded, self._session.judged_by_term
        )

    def forget(self, env_ids: Iterable[int]) -> None:
        """See :meth:`Judge.forget`."""
        if self._term is not None:
            self._term.forget(list(env_ids))

    def close(self) -> None:
        """See :meth:`Judge.close`."""
        if self._term is not None:
            self._term.remove()


class WatchingJudge:
    """Changes nothing: takes the word of the script that steps the environment, or else of its terminations.

    Args:
        env: The unwrapped environment, of any kind.
        session: The session, which knows whether the success term judges.

    Attributes:
        term: Name of the success term, None where the task has none.
    """

    def __init__(self, env: Environment, session: Session) -> None:
        self.term: str | None = None
        self._env = env
        self._session = session
        self._told: dict[int, bool] = {}

    def start(self, config: RecordingConfig) -> None:
        """See :meth:`Judge.start`."""

    def tell(self, env_ids: Sequence[int], success_values: Any) -> None:
        """Hear the script's word, as ``RecorderManager.set_success_to_episodes`` does."""
        values = to_torch(success_values)
        told = values.tolist() if hasattr(values, "tolist") else list(values)
        for env_id, success in zip(env_ids, told, strict=True):
            # Isaac Lab takes both shapes, (n,) and (n, 1).
            self._told[env_id] = bool(success[0] if isinstance(success, list) else success)

    def outcomes(self, env_ids: Sequence[int]) -> list[Outcome]:
        """See :meth:`Judge.outcomes`.

        Without a word of the script: as the success term says, or, without one, a failure where a termination ended the
        episode, and undecided where the time ran out, somebody reset it, or there is no termination manager.
        """
        manager: TerminationManager | None = getattr(self._env, "termination_manager", None)
        if manager is None:
            return [self._by_word(env_id) or Outcome.UNDECIDED for env_id in env_ids]
        if self.term is not None and self._session.judged_by_term:
            # As Isaac Lab's own recorder manager has it: what the term does not call a success is none.
            succeeded = manager.get_term(self.term)[list(env_ids)].tolist()
            judged = [Outcome.SUCCESS if success else Outcome.FAILURE for success in succeeded]
        else:
            judged = _by_terminations(manager, self._env, env_ids, None, judged_by_term=False)
        return [self._by_word(env_id) or outcome for env_id, outcome in zip(env_ids, judged, strict=True)]

    def forget(self, env_ids: Iterable[int]) -> None:
        """See :meth:`Judge.forget`."""
        for env_id in env_ids:
            self._told.pop(env_id, None)

    def close(self) -> None:
        """See :meth:`Judge.close`."""

    def _by_word(self, env_id: int) -> Outcome | None:
        if env_id not in self._told:
            return None
        return Outcome.SUCCESS if self._told[env_id] else Outcome.FAILURE


def _by_terminations(
    manager: TerminationManager,
    env: Environment,
    env_ids: Sequence[int],
    succeeded: Tensor | None,
    judged_by_term: bool,
) -> list[Outcome]:
    """Return how the episodes of environments ended, from what their terminations said at the last step.

    Args:
        manager: The environment's termination manager.
        env: The environment.
        env_ids: Which environments.
        succeeded: Which have succeeded, bool tensor of shape ``(num_envs,)``, None where no term judges.
        judged_by_term: Whether a time-out is a failure; where a person judges it is undecided.
    """
    import torch

    none = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    # Not `terminated`: Isaac Lab sets it for a reset that a person asked for as well.
    ended, timed_out = none.clone(), none.clone()
    for name in manager.active_terms:
        (timed_out if manager.get_term_cfg(name).time_out else ended).logical_or_(manager.get_term(name))
    facts = torch.stack([none if succeeded is None else succeeded, ended, timed_out])
    # One transfer for all that is asked.
    outcomes = []
    for success, terminated, out_of_time in facts[:, list(env_ids)].T.tolist():
        if success:
            outcomes.append(Outcome.SUCCESS)
        elif terminated or (out_of_time and judged_by_term):
            outcomes.append(Outcome.FAILURE)
        else:
            outcomes.append(Outcome.UNDECIDED)
    return outcomes
