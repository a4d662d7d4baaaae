"""``Ledger``: what has become of a recording's episodes, told by two threads and read by any."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from isaac_lerobot.recording.commands import Outcome
from isaac_lerobot.recording.status import Counts, Message, Severity

Kept = tuple[Path, int]
"""A dataset's folder and the index of an episode in it."""


class Ledger:
    """Counts episodes and keeps the last message.

    The host's thread hands episodes over; the writer's thread reports when they are on disk.

    Attributes:
        counts: Episodes of the recording so far.
        message: The last thing there was to say.
        dataset_episodes: Episodes in the dataset, earlier recordings included; failed ones kept apart do not count.
        datasets: Every dataset that an episode has reached since the ledger was made.
    """

    def __init__(self, message: str) -> None:
        self.counts = Counts()
        self.message = Message(message)
        self.dataset_episodes = 0
        self.datasets: frozenset[Path] = frozenset()
        self._root: Path | None = None
        # Reentrant: the writer may report from within the call that hands it an episode.
        self._lock = threading.RLock()
        # In the order of saving, in which the writer reports; an index may change when an earlier episode is lost.
        self._underway: dict[Path, deque[tuple[Outcome, str]]] = {}
        self._loss: str | None = None

    @property
    def next_episode(self) -> int:
        """Index of the dataset's next episode, if all that are on their way to it arrive."""
        with self._lock:
            underway = self._underway.get(self._root, ()) if self._root is not None else ()
            return self.dataset_episodes + len(underway)

    def say(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Replace the last message."""
        with self._lock:
            self.message = Message(text, severity)

    def open(self, root: Path | None, dataset_episodes: int) -> None:
        """Count anew, for a dataset in ``root`` that holds so many episodes already."""
        with self._lock:
            self.counts = Counts()
            self._root, self.dataset_episodes = root, dataset_episodes

    def end(self, outcome: Outcome, frames: int, keep: Callable[[], Kept | None]) -> None:
        """Note that an episode has ended.

        Args:
            outcome: How.
            frames: Its length.
            keep: Hands it to the writer and says where it goes, or None if it is not kept. Called with the ledger
                held, so that the writer's report cannot come before the hand-over was noted.
        """
        facts = f"{outcome.value}, {frames} frames"
        with self._lock:
            kept, counts = keep(), self.counts
            if kept is None:
                self.counts = replace(counts, discarded=counts.discarded + 1)
                self.message = Message(f"Episode not kept ({facts}).")
                return
            self.counts = replace(
                counts,
                saving=counts.saving + 1,
                succeeded=counts.succeeded + (outcome is Outcome.SUCCESS),
                failed=counts.failed + (outcome is Outcome.FAILURE),
            )
            self._underway.setdefault(kept[0], deque()).append((outcome, facts))
            self.message = Message(f"Saving episode {kept[1]}{self._apart(kept[0])} ({facts}) …")

    def discarded(self) -> None:
        """Note that an episode with frames was thrown away."""
        with self._lock:
            self.counts = replace(self.counts, discarded=self.counts.discarded + 1)

    def committed(self, root: Path, index: int) -> None:
        """Note that an episode is on disk."""
        with self._lock:
            counts = self.counts
            self.counts = replace(counts, saving=counts.saving - 1, saved=counts.saved + 1)
            self.dataset_episodes += root == self._root
            self.datasets |= {root}
            _, facts = self._underway[root].popleft()
            if self.message.severity is Severity.INFO:
                self.message = Message(f"Saved episode {index}{self._apart(root)} ({facts}).")

    def lost(self, root: Path, index: int, error: Exception) -> None:
        """Note that an episode could not be brought to disk."""
        with self._lock:
            counts = self.counts
            outcome, _ = self._underway[root].popleft()
            self.counts = replace(
                counts,
                saving=counts.saving - 1,
                succeeded=counts.succeeded - (outcome is Outcome.SUCCESS),
                failed=counts.failed - (outcome is Outcome.FAILURE),
                lost=counts.lost + 1,
            )
            self._loss = f"Episode {index}{self._apart(root)} could not be saved: {error}"

    def take_loss(self) -> str | None:
        """Return what was lost since the last call, if anything was."""
        with self._lock:
            loss, self._loss = self._loss, None
        return loss

    def _apart(self, root: Path) -> str:
        """Where an episode goes that is kept apart: its index counts from 0 there."""
        return "" if root == self._root else f" of {root.name}"
