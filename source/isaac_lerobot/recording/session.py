"""``Session``: the state machine of a recording.

A session knows nothing of a simulator. A host (the driver, or an attached script's environment) asks it between two
steps to carry out the commands that came in, hands it frames, and tells it when an episode has ended; the session
decides what is recorded, counted and kept.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import DatasetReader, Episode
from isaac_lerobot.errors import ConfigError, DatasetError, IsaacLeRobotError
from isaac_lerobot.recording.commands import (
    RUNNING,
    CloseTask,
    Command,
    Configure,
    Discard,
    End,
    Finish,
    ListTasks,
    OpenTask,
    Outcome,
    Pause,
    Quit,
    Reset,
    Resume,
    SessionState,
    Start,
    allowed_commands,
    refusal,
)
from isaac_lerobot.recording.config import ExportRule, RecordingConfig, SuccessMode, check_change
from isaac_lerobot.recording.episodes import RunningEpisode, RunningEpisodes
from isaac_lerobot.recording.export import Completion, Export, check_destination
from isaac_lerobot.recording.host import Host
from isaac_lerobot.recording.ledger import Ledger
from isaac_lerobot.recording.offer import TaskOffer
from isaac_lerobot.recording.selection import Selection, select
from isaac_lerobot.recording.status import Counts, Severity, Status

_NO_ENVS: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

logger = logging.getLogger(__name__)


class Session:
    """One recording: its configuration, its state, its running episodes and its dataset.

    :meth:`post` and :attr:`status` may be used from any thread; everything else belongs to the host's thread.

    Args:
        config: What to start with.
    """

    def __init__(self, config: RecordingConfig | None = None) -> None:
        self.config = config or RecordingConfig()
        self.state = SessionState.IDLE
        self.quit_requested = False
        self._commands: deque[Command] = deque()
        self._ledger = Ledger("Choose a task and load it.")
        self._tasks: tuple[str, ...] = ()
        self._host: Host | None = None
        self._offer: TaskOffer | None = None
        self._export: Export | None = None
        self._completion: Completion | None = None
        self._afterwards: Command | None = None
        self._stale = False
        self._episodes = RunningEpisodes(self._ledger)
        self._finished_dataset: Path | None = None
        self._success_steps = 0
        self._has_news = False
        self._counts_successes = False
        self._held_before = 0

    # ---- for everyone ------------------------------------------------------------------------------------------

    def post(self, command: Command) -> None:
        """Queue a command; it is carried out between two steps. Safe from any thread."""
        self._commands.append(command)

    @property
    def has_commands(self) -> bool:
        """Whether commands wait to be carried out. Safe from any thread."""
        return bool(self._commands)

    @property
    def status(self) -> Status:
        """A snapshot of the session. Safe from any thread."""
        export = self._export
        writers = export.writers if export is not None else ()
        reports = [writer.status for writer in writers]
        frames = self._episodes.longest
        offer, counts = self._offer, self._ledger.counts
        progress, target = self._progress(counts)
        return Status(
            state=self.state,
            message=self._ledger.message,
            config=self.config,
            tasks=self._tasks,
            offer=offer,
            selection_locked=export is not None,
            episode_frames=frames,
            episode_seconds=frames / offer.fps if offer else 0.0,
            success_steps=self._success_steps,
            counts=counts,
            progress=progress,
            target=target,
            dataset=export.root if export is not None else self._finished_dataset,
            dataset_episodes=self._ledger.dataset_episodes,
            next_episode=self._ledger.next_episode,
            queue_depth=sum(report.queue_depth for report in reports),
            waited=sum(report.waited_s for report in reports),
            steps_per_second=self._episodes.steps_per_second if self.state is SessionState.RECORDING else 0.0,
            allowed=frozenset(self._allowed()),
        )

    @property
    def judged_by_term(self) -> bool:
        """Whether the task's success term ends episodes: it has one and the operator did not choose otherwise."""
        return self.config.success is SuccessMode.TERM and self._offer is not None and self._offer.has_success_term

    # ---- for the host ------------------------------------------------------------------------------------------

    def carry_out_commands(self, host: Host) -> None:
        """Carry out every queued command and notice what background work has come to.

        A command that makes no sense now, and one that fails for a reason the user can mend, is answered with a
        message; the session stays in a state it can go on from.
        """
        self._has_news = self._notice_loss(host)
        if self.state is SessionState.LOADING:
            self._load(host)
        self._notice_completed()
        self._go_on_afterwards(host)
        # A task is loaded at the next call, so that "Loading" can be drawn first; what was queued behind waits.
        while self._commands and self.state is not SessionState.LOADING:
            self.carry_out(self._commands.popleft(), host)

    def carry_out_settings(self, host: Host) -> None:
        """Carry out queued commands that need no environment, up to the first that does; the others wait."""
        while self._commands and not self._commands[0].needs_environment:
            self.carry_out(self._commands.popleft(), host)

    def carry_out(self, command: Command, host: Host) -> None:
        """Carry out one command now."""
        if type(command) not in self._allowed():
            # What has just gone wrong is more to hear than that a command, given before anybody knew, came too late.
            if not self._has_news:
                self._say(refusal(command, self.state), Severity.WARNING)
            return
        try:
            self._dispatch(command, host)
        except IsaacLeRobotError as error:
            self._has_news = True
            self._say(str(error), Severity.ERROR)

    @property
    def recording(self) -> NDArray[np.int64]:
        """Environments of which frames are wanted now, sorted."""
        return self._episodes.armed if self.state is SessionState.RECORDING else _NO_ENVS

    def record(
        self,
        env_ids: NDArray[np.int64],
        frame: Mapping[str, Any],
        states: Mapping[str, Any] | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """Record one step of all environments: the observations at t and the actions applied at t.

        Args:
            env_ids: The environments it is to be recorded of; those not in :attr:`recording` are left out.
            frame: numpy arrays by feature, shape ``(num_envs, …)``; copied before this returns.
            states: The scene's state before the step, by path, shape ``(num_envs, …)``; kept beside the dataset.
            beside: Further numbers to keep beside the dataset, likewise.

        Raises:
            DatasetError: The step could not be taken; :meth:`interrupt` is what to call then.
        """
        wanted = self.recording
        if len(env_ids) != len(wanted) or not np.array_equal(env_ids, wanted):
            env_ids = np.intersect1d(env_ids, wanted)
        if env_ids.size:
            self._episodes.record(env_ids, frame, states or {}, beside or {})

    def end(self, outcomes: Mapping[int, Outcome]) -> None:
        """End episodes, and with the last of them the recording if the target is reached.

        Args:
            outcomes: How they ended, by environment, in the order in which they are to be saved; an environment without
                a running episode is passed over.
        """
        running = [env_id for env_id in outcomes if self._episodes.is_running(env_id)]
        if not running:
            return
        final = self._running_host().snapshot(running)
        for place, env_id in enumerate(running):
            episode = self._episodes.take(env_id)
            # None where an episode before it has reached the target, which drops the others.
            if episode is not None:
                arrays = {
                    **_prefixed("initial_state", episode.initial),
                    **_prefixed("final_state", {path: value[place] for path, value in final.arrays.items()}),
                }
                self._end(env_id, episode, outcomes[env_id], final.attributes, arrays)

    def drop(self, env_id: int) -> None:
        """Throw an environment's running episode away; its next frame begins another."""
        self._episodes.drop(env_id)

    def warn(self, message: str) -> None:
        """Tell whoever operates it, and whoever reads the log, what is wrong with what is being recorded."""
        logger.warning(message)
        self._say(message, Severity.WARNING)

    def report_success_steps(self, steps: int) -> None:
        """Tell for how many steps in a row the success term has held (the furthest environment)."""
        self._success_steps = steps

    def interrupt(self, error: Exception) -> None:
        """Stop recording because frames cannot be written; the task stays loaded."""
        self._throw_all_away()
        if self.state in RUNNING:
            self.state = SessionState.READY
        self._say(f"Recording stopped: {error}", Severity.ERROR)

    def fail(self, message: str) -> None:
        """Enter ``ERROR``: the environment is gone. Saved episodes stay saved; a running one is thrown away."""
        self._throw_all_away()
        self._offer = None
        self.state = SessionState.ERROR
        self._say(message, Severity.ERROR)

    def complete(self) -> None:
        """Complete the dataset and wait for it, touching no environment: for who has no later moment to come back in.

        Running episodes are thrown away. A completion that is under way is waited for.
        """
        if self._export is not None and self._completion is None:
            self._finish()
        if self._completion is not None:
            self._completion.wait()
        self._notice_completed()

    def quit(self, host: Host) -> None:
        """Carry ``Quit`` out now, waiting for the dataset; does nothing where it has been carried out."""
        if self.quit_requested:
            return
        self.complete()
        self._afterwards = None
        self.carry_out(Quit(), host)

    def _end(
        self,
        env_id: int,
        episode: RunningEpisode,
        outcome: Outcome,
        attributes: Mapping[str, Any],
        arrays: Mapping[str, Any],
    ) -> None:
        try:
            self._ledger.end(outcome, episode.frames, lambda: self._keep(episode, outcome, attributes, arrays))
        except Exception:
            self._episodes.throw_away(episode)  # nobody else knows of it any more
            raise
        if not self.config.continuous:
            self._episodes.disarm([env_id])
        if not self._finish_at_target() and not self._episodes.armed.size:
            self.state = SessionState.READY

    # ---- commands ----------------------------------------------------------------------------------------------

    def _dispatch(self, command: Command, host: Host) -> None:
        match command:
            case ListTasks():
                self._tasks = tuple(host.list_tasks(self.config.task_packages))
            case Configure(changes):
                self._configure(changes)
            case OpenTask():
                self._open_task(host)
            case CloseTask():
                self._close_task(host)
            case Start():
                self._start(host)
            case Pause():
                self.state = SessionState.PAUSED
                self._say("Paused.")
            case Resume():
                self.state = SessionState.RECORDING
                self._episodes.restart_pace()
                self._say("Recording.")
            case End(outcome):
                self._end_by_hand(outcome, host)
            case Discard():
                self._discard_by_hand(host)
            case Reset():
                self._reset_all(host)
                self._say("The scene was reset.")
            case Finish():
                self._finish_by_hand(host)
            case Quit():
                self._quit(host)

    def _configure(self, changes: Mapping[str, Any]) -> None:
        changed = self.config.changed(changes)
        check_change(self.config, changed, running=self.state in RUNNING, dataset_open=self._export is not None)
        self.config = changed

    def _open_task(self, host: Host) -> None:
        if not self.config.task:
            raise ConfigError("No task is set. Choose one.")
        check_destination(self.config)  # an environment takes its time to build
        if self._completes_first(OpenTask()):
            return
        self.state = SessionState.LOADING
        self._say(f"Loading {self.config.task} …")

    def _load(self, host: Host) -> None:
        self._offer = None
        try:
            host.close()
            self._offer = host.open(self.config)
            self._stale = False
        except IsaacLeRobotError as error:
            self.state = SessionState.IDLE
            self._say(str(error), Severity.ERROR)
        else:
            self.state = SessionState.READY
            self._say(f"{self.config.task} is loaded.")

    def _close_task(self, host: Host) -> None:
        if self._completes_first(CloseTask()):
            return
        host.close()
        self._offer = None
        self.state = SessionState.IDLE
        self._say("Closed. Choose a task and load it.")

    def _start(self, host: Host) -> None:
        offer = self._loaded()
        if self.config.export is ExportRule.NONE and self.config.num_demos:
            raise ConfigError("export is none, so no demo would ever count. Set num_demos to 0 to practise.")
        selection = select(self.config, offer)
        if self._stale:
            self._reset_all(host)
        attributes = host.start(self.config, selection)
        self._host = host
        self._counts_successes = self.judged_by_term
        if self._export is None:
            self._export = self._open_export(offer, selection, attributes)
        cameras = [name for name, feature in selection.features.items() if feature["dtype"] == "video"]
        self._episodes.open(offer.num_envs, cameras, self._begin)
        self._episodes.arm(range(offer.num_envs))
        # With several environments, those whose episode has ended are stepped along with the others.
        self._stale = offer.num_envs > 1
        self.state = SessionState.RECORDING
        self._say("Recording.")
        self._finish_at_target()

    def _open_export(self, offer: TaskOffer, selection: Selection, attributes: Mapping[str, Any]) -> Export:
        recorded = self._ledger.datasets
        export = Export(self.config, offer, selection, attributes, recorded, self._ledger.committed, self._ledger.lost)
        committed = export.writers[0].status.committed_episodes if export.writers else 0
        self._ledger.open(export.root, committed)
        self._held_before = committed
        if committed and self._counts_successes and export.root is not None:
            self._held_before = sum(episode.success is True for episode in DatasetReader(export.root))
        return export

    def _end_by_hand(self, outcome: Outcome, host: Host) -> None:
        running = self._episodes.env_ids
        if not running:
            raise ConfigError("There is no frame yet, so there is no episode to end.")
        if self.state is SessionState.PAUSED:
            self.state = SessionState.RECORDING
        try:
            self.end(dict.fromkeys(running, outcome))
        finally:
            host.reset(running)

    def _discard_by_hand(self, host: Host) -> None:
        running = self._episodes.env_ids or self._episodes.armed.tolist()
        self._episodes.drop_all()
        self._say("Discarded.")
        if self.state is SessionState.PAUSED:
            self.state = SessionState.RECORDING
        if not self.config.continuous:
            self._episodes.disarm()
            self.state = SessionState.READY
        host.reset(running)

    def _finish_by_hand(self, host: Host) -> None:
        running = self._episodes.env_ids
        try:
            self.end(dict.fromkeys(running, Outcome.UNDECIDED))
        finally:
            if self.state is not SessionState.SAVING:
                self._finish()
            if running:
                host.reset(running)

    def _quit(self, host: Host) -> None:
        if self._completes_first(Quit()):
            return
        try:
            self._throw_all_away()
            host.close()
        finally:
            self._offer = None
            self.state = SessionState.IDLE
            self.quit_requested = True

    # ---- the dataset -------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Complete the dataset in the background, so that the panel stays alive."""
        self._stale = self._stale or bool(self._episodes.env_ids)
        self._throw_all_away()
        export = self._export
        if export is None:
            self.state = SessionState.READY
            return
        self.state = SessionState.SAVING
        self._completion = Completion(export)

    def _notice_completed(self) -> None:
        completion = self._completion
        if completion is None or not completion.done:
            return
        self._completion = None
        if self._export is not None:
            self._finished_dataset = self._export.dataset
        self._export = None
        if self.state is SessionState.SAVING:
            self.state = SessionState.FINISHED if self._offer is not None else SessionState.IDLE
        if completion.error is not None:
            if isinstance(self._afterwards, OpenTask):
                self._afterwards = None  # whoever wanted to load another task is to read this first
            self._say(f"The dataset could not be completed: {completion.error}", Severity.ERROR)
        elif self.state is not SessionState.ERROR:
            self._say(f"Finished: {self._summary()}.")

    def _completes_first(self, command: Command) -> bool:
        """Complete the open dataset in the background before a command goes on; return whether there is one."""
        if self._export is None:
            return False
        self._afterwards = command
        if self._completion is None:
            self._finish()
            self._say("Completing the dataset …")
        return True

    def _go_on_afterwards(self, host: Host) -> None:
        command = self._afterwards
        if command is None or self._completion is not None:
            return
        self._afterwards = None
        message = self._ledger.message
        self.carry_out(command, host)
        if message.severity is Severity.ERROR and not isinstance(command, OpenTask):
            self._say(message.text, message.severity)

    def _keep(
        self, episode: RunningEpisode, outcome: Outcome, attributes: Mapping[str, Any], arrays: Mapping[str, Any]
    ) -> tuple[Path, int] | None:
        if episode.writer is None or self._export is None:
            return None
        return self._export.end(episode.writer, outcome, attributes, arrays)

    def _notice_loss(self, host: Host) -> bool:
        """Stop recording when a saved episode was lost: what follows would be lost as well."""
        loss = self._ledger.take_loss()
        if loss is None:
            return False
        running = self.state in RUNNING
        self.interrupt(DatasetError(loss))
        if running:
            host.reset(range(self._num_envs()))
        return True

    # ---- small things ------------------------------------------------------------------------------------------

    def _allowed(self) -> set[type[Command]]:
        has_frames = bool(self._episodes.env_ids)
        return allowed_commands(self.state, dataset_open=self._export is not None, has_frames=has_frames)

    def _finish_at_target(self) -> bool:
        """Finish if there are as many demos as wanted, of this recording or in the dataset. Return whether it did."""
        demos = self._demos(self._ledger.counts)
        if 0 < self.config.num_demos <= demos:
            self._say(f"Target of {_demos(self.config.num_demos)} reached.")
        elif 0 < self.config.until <= self._held_before + demos:
            self._say(f"The dataset holds {_demos(self._held_before + demos)}.")
        else:
            return False
        self._finish()
        return True

    def _progress(self, counts: Counts) -> tuple[int, int]:
        """Return how many demos there are, and how many there are to be (0: no target)."""
        demos, config = self._demos(counts), self.config
        by_dataset = config.until and not config.num_demos
        return (self._held_before + demos, config.until) if by_dataset else (demos, config.num_demos)

    def _demos(self, counts: Counts) -> int:
        # What counts is asked for once more when the task is gone.
        successes = self.judged_by_term if self._offer is not None else self._counts_successes
        return counts.succeeded if successes else counts.saved + counts.saving

    def _summary(self) -> str:
        counts = self._ledger.counts
        undecided = counts.saved + counts.saving - counts.succeeded - counts.failed
        parts = [f"{counts.saved} saved", f"{counts.succeeded} succeeded", f"{counts.failed} failed"]
        parts += [f"{undecided} undecided"] if undecided else []
        parts += [f"{counts.discarded} discarded"] if counts.discarded else []
        parts += [f"{counts.lost} lost"] if counts.lost else []
        return ", ".join(parts) + (f", in {self._finished_dataset}" if self._finished_dataset else "")

    def _begin(self) -> Episode | None:
        export, offer = self._export, self._loaded()
        return export.begin(self.config.task_description or offer.description or offer.task) if export else None

    def _running_host(self) -> Host:
        if self._host is None:
            raise ConfigError("Nothing is being recorded.")
        return self._host

    def _loaded(self) -> TaskOffer:
        if self._offer is None:
            raise ConfigError("No task is loaded. Load one first.")
        return self._offer

    def _reset_all(self, host: Host) -> None:
        self._stale = False
        host.reset(range(self._num_envs()))

    def _num_envs(self) -> int:
        return self._offer.num_envs if self._offer else 0

    def _throw_all_away(self) -> None:
        self._episodes.drop_all()
        self._episodes.disarm()

    def _say(self, text: str, severity: Severity = Severity.INFO) -> None:
        self._ledger.say(text, severity)


def _prefixed(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def _demos(number: int) -> str:
    return f"{number} {'demo' if number == 1 else 'demos'}"
