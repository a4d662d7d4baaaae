"""A host without a simulator: an environment whose observation is a step count, for testing the session alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from isaac_lerobot.errors import TaskError
from isaac_lerobot.recording import CameraOffer, RecordingConfig, Selection, Session, Snapshot, TaskOffer, TermOffer


class PaperHost:
    """Implements the session's host protocol; :meth:`tick` hands steps of all environments to the session.

    Attributes:
        made: Those whose sessions are still to be closed.
    """

    made: ClassVar[list[PaperHost]] = []

    def __init__(self, session: Session, num_envs: int = 1, has_success_term: bool = False) -> None:
        self.made.append(self)
        self.session = session
        self.counts = np.zeros(num_envs, dtype=np.float32)
        self.resets: list[list[int]] = []
        self.is_open = False
        self.offer = TaskOffer(
            task="Paper-v0",
            fps=30,
            num_envs=num_envs,
            action_names=("a",),
            cameras=(CameraOffer("front", 16, 16),),
            terms=(TermOffer("policy/count", (2,)),),
            success_term="success" if has_success_term else None,
        )

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        return ["Paper-v0"]

    def open(self, config: RecordingConfig) -> TaskOffer:
        if config.task != "Paper-v0":
            raise TaskError(f"There is no task '{config.task}'.")
        self.is_open = True
        return self.offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        self.selection = selection
        return {"env_name": "Paper-v0"}

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        return Snapshot({"seed": 7}, {"count": self.counts[list(env_ids), None]})

    def reset(self, env_ids: Sequence[int]) -> None:
        self.resets.append(list(env_ids))
        self.counts[list(env_ids)] = 0

    def close(self) -> None:
        self.is_open = False

    def tick(self, steps: int = 0) -> None:
        """Carry out commands, then record ``steps`` frames in every environment that wants them."""
        self.session.carry_out_commands(self)
        for _ in range(steps):
            counts, num_envs = self.counts, len(self.counts)
            pictures = np.empty((num_envs, 16, 16, 3), dtype=np.uint8)
            pictures[:] = (counts % 256).astype(np.uint8)[:, None, None, None]
            frame = {
                "observation.state": np.stack([counts, -counts], axis=1),
                "action": 2 * counts[:, None],
                "observation.images.front": pictures,
            }
            if (recording := self.session.recording).size:
                wanted = {name: frame[name] for name in self.selection.features}
                self.session.record(recording, wanted, {"count": counts[:, None]})
            self.counts += 1
