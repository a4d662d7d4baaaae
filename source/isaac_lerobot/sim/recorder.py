"""``EpisodeRecorder``: turns an environment's steps and resets into a session's frames and episodes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from isaac_lerobot.episode_data.layout import LAYOUT, EpisodeLayout
from isaac_lerobot.recording import RecordingConfig, Selection, Session, Snapshot, TaskOffer
from isaac_lerobot.sim.env.facts import environment_facts
from isaac_lerobot.sim.env.frames import FrameReader, scene_state
from isaac_lerobot.sim.env.success import Judge


class EpisodeRecorder:
    """Records the environments of one scene; told when they step and when they are reset.

    Args:
        env: The unwrapped environment.
        session: The session to feed.
        offer: What the environment offers.
        judge: Says how an episode has ended.
        make_reader: Returns what reads frames, for the environment and a selection.
    """

    def __init__(
        self,
        env: Any,
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

    def start(self, config: RecordingConfig, selection: Selection) -> dict[str, Any]:
        """Make ready to record ``selection``; return JSON-able facts about the environment."""
        self.reader = self._make_reader(self.env, selection)
        self._judge.start(config)
        facts = environment_facts(self.env, self.offer.task)
        return {**facts, LAYOUT: EpisodeLayout.of_selection(selection).to_json()}

    def snapshot(self, env_id: int) -> Snapshot:
        """Return the scene's state and the seed."""
        state = {name: value[env_id] for name, value in scene_state(self.env).items()}
        return Snapshot({"seed": self.env.cfg.seed}, state)

    def recorded(self, env_ids: Iterable[int]) -> list[int]:
        """Return those of the environments whose frames are wanted now."""
        return [env_id for env_id in env_ids if self._session.records(env_id)]

    def record_step(self, without: Container[int] = ()) -> None:
        """Record the pair of observation and action of this step, from within ``env.step``.

        Args:
            without: Environments to leave out.
        """
        self._judge.stepped()
        env_ids = [env_id for env_id in self.recorded(range(self.offer.num_envs)) if env_id not in without]
        if self.reader is None or not env_ids:
            return
        states = scene_state(self.env)
        for env_id, frame in zip(env_ids, self.reader.read(env_ids), strict=True):
            # The joints of an asset without joints are no numbers to keep.
            extra = {f"state/{name}": value[env_id] for name, value in states.items() if value[env_id].size}
            self._session.record(env_id, frame, extra)

    def end_episodes(self, env_ids: Sequence[int]) -> list[int]:
        """Judge and end the running episodes of these environments; return whose they were.

        To be called before the environments are reset, their last state still there.
        """
        running = self.recorded(env_ids)
        for env_id in running:
            self._session.end(env_id, self._judge.outcome(env_id))
        return running
