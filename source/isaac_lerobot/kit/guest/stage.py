"""``Stage``: the stage of the app, lent to a task, and what becomes of the user's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import carb.eventdispatcher

from isaac_lerobot.errors import TaskError
from isaac_lerobot.kit.guest import host_app


class Stage:
    """Makes room for a task's scene and gives the app an empty stage back.

    Isaac Lab builds a scene into the stage that it finds, and closes that stage with the environment. So a task gets a
    new one, and none where the user's holds changes that are nowhere else.

    Attributes:
        was_closed: Whether the task's stage has been closed by somebody else since it was taken.
    """

    def __init__(self) -> None:
        self.was_closed = False
        self._is_ours = False
        self._at_work = False
        self._subscription: Any = None

    def check(self) -> None:
        """Make sure that a task may take the stage.

        Raises:
            TaskError: It holds unsaved changes of the user's, or is being opened or saved.
        """
        context = _context()
        if context is None or self._is_ours:
            return
        if context.has_pending_edit():
            raise TaskError(
                "The open stage has unsaved changes, and a task would take its place. Save it, or discard it with "
                "File > New, then load the task again."
            )
        if not context.can_open_stage():
            raise TaskError("The app is opening or saving a stage. Load the task again once it is done.")

    def take(self) -> None:
        """Put a new stage in the place of the one that is open; see :meth:`check`."""
        self.check()
        context = _context()
        self.was_closed = False
        if context is None:
            return
        import omni.usd

        with self.work():
            context.new_stage()
        self._is_ours = True
        from isaaclab.sim.utils import stage as isaac_stage

        # Isaac Lab takes its thread's current stage, else the first of USD's cache, where other extensions keep theirs.
        isaac_stage._context.stage = context.get_stage()
        self._subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="LeRobot Recorder watches the stage",
            event_name=context.stage_event_name(omni.usd.StageEventType.CLOSING),
            on_event=lambda _event: self._on_closing(),
        )

    def settle(self) -> None:
        """Let the task's scene count as saved: nobody is to be asked whether to keep what can be loaded again."""
        context = _context()
        if context is not None and self._is_ours:
            context.set_pending_edit(False)

    def give_back(self) -> None:
        """Open an empty stage where the task's was; one that the user has opened since is left alone."""
        context = _context()
        self._subscription = None
        if context is not None and self._is_ours and not self.was_closed:
            with self.work():
                context.new_stage()
        self._is_ours = self.was_closed = False

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Stages that are closed in this context are closed by us."""
        was_at_work, self._at_work = self._at_work, True
        try:
            yield
        finally:
            self._at_work = was_at_work

    @contextlib.contextmanager
    def spared(self) -> Iterator[None]:
        """An environment that is closed in this context closes its own stage, and no other that stands in its place."""
        if not self.was_closed:
            with self.work():
                yield
            return
        from isaaclab.sim.utils import stage as isaac_stage

        def forget() -> bool:
            isaac_stage._context.stage = None
            return True

        close_stage, isaac_stage.close_stage = isaac_stage.close_stage, forget  # it would empty USD's cache
        try:
            _leave_context_alone()
            yield
        finally:
            isaac_stage.close_stage = close_stage

    def _on_closing(self) -> None:
        if self._is_ours and not self._at_work:
            self.was_closed = True


def _context() -> Any:
    if not host_app.has_extension("omni.usd"):
        return None
    import omni.usd

    return omni.usd.get_context()


def _leave_context_alone() -> None:
    """Keep the simulation that there is from closing whatever stage the app's context holds by now."""
    from isaaclab.sim import SimulationContext
    from isaaclab.utils.version import has_kit

    simulation = SimulationContext.instance()
    if simulation is None or not has_kit():
        return
    from isaaclab_physx.app.kit_stage import KitStageBackendCfg

    simulation.get_or_create_backend(KitStageBackendCfg(stage=simulation.stage)).close = lambda: None
