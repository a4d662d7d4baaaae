"""``GuestDriver``: a driver in an app that belongs to somebody else."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from isaac_lerobot.kit.guest import host_app
from isaac_lerobot.kit.guest.isaac_settings import IsaacSettings
from isaac_lerobot.kit.guest.player import Player
from isaac_lerobot.kit.guest.stage import Stage
from isaac_lerobot.kit.guest.timeline import Timeline
from isaac_lerobot.recording import RecordingConfig, Session, SessionState, TaskOffer
from isaac_lerobot.sim.drive.driver import Driver

_STOPPED = (
    "The timeline was stopped, which ends the simulation. Saved episodes are safe, a running one was thrown away. "
    "Load the task again to go on."
)
_CLOSED = (
    "The stage of the task was closed, and the environment with it. Saved episodes are safe, a running one was thrown "
    "away. Load the task again to go on."
)


class GuestDriver(Driver):
    """Builds and steps an environment in a running app: settings, stage, timeline and physics player are the app's.

    Args:
        session: The session to serve.
        check: Called with a task's configuration before anything of it is built; what it raises refuses the task.
    """

    def __init__(self, session: Session, check: Callable[[Any], None] = lambda env_cfg: None) -> None:
        self._check = check
        self._settings = IsaacSettings()
        self._player = Player()
        self._stage = Stage()
        self._timeline = Timeline(session, lambda: self._is_ticking)
        self._is_ticking = False
        self._is_opening = False
        self._loss = ""
        super().__init__(session, self._launch_in_app, self._timeline.may_step)

    def tick(self) -> float:
        """See :meth:`.Driver.tick`. An environment that the app has taken away is let go, and the session says why."""
        self._loss = ""
        if self.env is not None and self._reason():
            self._guarded(self.close)
            self.session.fail(self._loss)
        self._is_ticking = True
        try:
            wait = super().tick()
        finally:
            self._is_ticking = False
            self._player.keep()
        self._timeline.after_step()
        if self._loss and self.session.state is SessionState.ERROR:
            self.session.fail(self._loss)  # what a step on a dead environment raises says nothing to anybody
        return wait

    def open(self, config: RecordingConfig) -> TaskOffer:
        """See :meth:`.Driver.open`.

        Raises:
            TaskError: Also where the app's stage must not be touched.
        """
        self._stage.check()
        self._is_opening = True
        try:
            with self._stage.work(), _launched_by_script():
                offer = super().open(config)
        except Exception:
            self._guarded(self._leave)
            raise
        finally:
            self._is_opening = False
        self._player.hold()
        self._stage.settle()
        self._timeline.follow()
        return replace(offer, warnings=(*offer.warnings, *host_app.picture_warnings(offer.num_envs)))

    def close(self) -> None:
        """See :meth:`.Driver.close`."""
        self._loss = self._reason() if self.env is not None else self._loss
        self._timeline.leave()
        try:
            with self._stage.spared():
                super().close()
        finally:
            if not self._is_opening:
                self._leave()

    def _draw(self) -> None:
        """Nothing: the app draws by itself, and a Kit visualizer would have it make updates within its update."""

    def _launch_in_app(self, env_cfg: Any) -> AbstractContextManager[Any]:
        self._check(env_cfg)
        self._stage.take()
        self._settings.prepare()
        from isaaclab.app import launch_simulation

        arguments: dict[str, Any] = {"require_kit": True} if host_app.has_extension("omni.usd") else {}
        if host_app.shows_viewport():
            arguments["visualizer"] = ["kit"]  # without one nothing in the viewport moves
        launched: AbstractContextManager[Any] = launch_simulation(env_cfg, arguments)
        return launched

    def _leave(self) -> None:
        """Leave the app as it was found."""
        for step in (self._player.release, self._settings.restore, self._stage.give_back):
            self._guarded(step)

    def _reason(self) -> str:
        if self._stage.was_closed:
            return _CLOSED
        return _STOPPED if self._timeline.was_stopped else ""


@contextlib.contextmanager
def _launched_by_script() -> Iterator[None]:
    """Isaac Lab and Isaac Sim ask this attribute whether they may update the app; there may be none."""
    name = "ISAAC_LAUNCHED_FROM_TERMINAL"
    found = getattr(builtins, name, None)
    setattr(builtins, name, False)
    try:
        yield
    finally:
        if found is None:
            delattr(builtins, name)
        else:
            setattr(builtins, name, found)
