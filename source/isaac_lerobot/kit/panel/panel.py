"""``Panel``: the recorder's window. It posts commands to a session and draws the session's status; nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.card import StateCard
from isaac_lerobot.kit.panel.choices import Choices
from isaac_lerobot.kit.panel.controls import Controls
from isaac_lerobot.kit.panel.form import Form
from isaac_lerobot.kit.panel.keys import WindowKeys
from isaac_lerobot.kit.panel.task_picker import TaskPicker
from isaac_lerobot.kit.panel.view import View, view
from isaac_lerobot.recording import Configure, Session, SessionState, TaskOffer
from isaac_lerobot.recording.selection import default_keys

TITLE = "LeRobot Recorder"
REFRESH_PERIOD = 0.1
"""How often what has merely moved on (frames, seconds) is drawn again [s]; a new state is drawn at once."""


class Panel:
    """The window "LeRobot Recorder".

    Args:
        session: Whose status is shown, and who is asked for what a person wants.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown: View | None = None
        self._shown_state: SessionState | None = None
        self._shown_at = 0.0
        self._offer: TaskOffer | None = None
        self._window = ui.Window(TITLE, width=460, height=860, dockPreference=ui.DockPreference.RIGHT_TOP)
        self._window.deferred_dock_in("Property", ui.DockPolicy.DO_NOTHING)
        self._window.frame.set_style(style.PANEL)
        self._build()
        self._keys = WindowKeys(self._window)
        self.refresh(force=True)

    @property
    def visible(self) -> bool:
        """Whether the window is open."""
        return bool(self._window.visible)

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._window.visible = visible

    def on_visibility_changed(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called when the window is opened or closed."""
        self._window.set_visibility_changed_fn(lambda _visible: changed())

    def refresh(self, force: bool = False) -> None:
        """Draw the status again, if it is time to."""
        now = time.monotonic()
        due = now - self._shown_at >= REFRESH_PERIOD
        if not (force or due or self._session.state is not self._shown_state):
            return
        self._shown_at = now
        self._sync()

    def destroy(self) -> None:
        """Close the window for good."""
        self._keys.close()
        self._form.destroy()
        self._window.visible = False
        self._window.destroy()

    def _build(self) -> None:
        with self._window.frame, ui.ZStack():
            ui.Rectangle(name="surface")
            with ui.HStack():
                ui.Spacer(width=8)
                with ui.VStack(spacing=8):
                    ui.Spacer(height=0)
                    self._card = StateCard()
                    self._controls = Controls(self._session.post, lambda: self._session.state)
                    with (
                        ui.ScrollingFrame(
                            horizontal_scrollbar_policy=ui.ScrollBarPolicy.SCROLLBAR_ALWAYS_OFF,
                            vertical_scrollbar_policy=ui.ScrollBarPolicy.SCROLLBAR_AS_NEEDED,
                        ),
                        ui.VStack(height=0, spacing=style.GAP),
                    ):
                        self._task = TaskPicker(self._session.post)
                        self._choices = Choices(self._session.post)
                        self._form = Form(self._session.post)
                        ui.Spacer(height=8)
                ui.Spacer(width=8)

    def _sync(self) -> None:
        """Bring every widget to what the status says: the one place where texts and enabled flags come from."""
        status = self._session.status
        self._shown_state = status.state
        if status.offer is not self._offer:
            self._offer = status.offer
            self._suggest(status.offer)
        shown = view(status)
        if shown == self._shown:
            return
        self._shown = shown
        for part in (self._card, self._controls, self._task, self._choices, self._form):
            part.show(shown)

    def _suggest(self, offer: TaskOffer | None) -> None:
        """Choose what a person would, where nobody chose yet."""
        config = self._session.config
        if offer is not None and not config.state_keys and not config.observation_keys:
            keys = default_keys(offer)
            self._session.post(Configure({"state_keys": keys.state, "observation_keys": keys.observations}))
