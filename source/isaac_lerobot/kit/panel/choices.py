"""``Choices``: what of the loaded task is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.view import TermRow, View
from isaac_lerobot.kit.panel.widgets import Check, Text, section
from isaac_lerobot.recording import Command, Configure

_COLUMN = 48
_OWN_COLUMN = 40
_SIZE = 76


class Choices:
    """Cameras and observation terms as check boxes, and the features they come to."""

    def __init__(self, post: Callable[[Command], None]) -> None:
        self._post = post
        self._offered: tuple[Any, ...] | None = None
        self._view: View | None = None
        self._cameras: dict[str, Check] = {}
        self._states: dict[str, tuple[Check, Text]] = {}
        self._raises: dict[str, Any] = {}
        self._observations: dict[str, Check] = {}
        with section("What to record", "recorder.section.choices"):
            self._frame = ui.Frame(height=0)
            self._features = Text("recorder.features", "faint", word_wrap=True, height=0)
            self._left_out = Text("recorder.left_out", "faint", word_wrap=True, height=0)

    def show(self, view: View) -> None:
        """Bring the check boxes up to date."""
        self._view = view
        offered = (
            view.loaded,
            tuple((camera.name, camera.size) for camera in view.cameras),
            tuple((term.key, term.label, term.size, term.can_be_state) for term in view.terms),
        )
        if offered != self._offered:
            self._offered = offered
            self._build(view)
        for camera in view.cameras:
            self._cameras[camera.name].show(camera.chosen, view.choices_editable)
        for term in view.terms:
            if term.can_be_state:
                check, position = self._states[term.key]
                check.show(term.position > 0, view.choices_editable)
                position.show(f"{term.position}" if term.position else "")
                self._raises[term.key].visible = term.position > 1 and view.choices_editable
            self._observations[term.key].show(term.observed, view.choices_editable)
        self._features.show_if_any(f"Will be written per frame:\n{view.features}" if view.features else "")
        self._left_out.show_if_any(f"Cannot be recorded:\n{view.left_out}" if view.left_out else "")

    # ---- building ----------------------------------------------------------------------------------------------

    def _build(self, view: View) -> None:
        self._cameras.clear()
        self._states.clear()
        self._raises.clear()
        self._observations.clear()
        self._frame.clear()
        with self._frame, ui.VStack(height=0, spacing=1):
            if not view.loaded:
                ui.Label("Load a task to see its cameras and observations.", name="faint", height=style.ROW)
                return
            ui.Label("Cameras", name="name", height=20)
            for camera in view.cameras:
                with ui.HStack(height=style.ROW - 2):
                    check = self._cameras[camera.name] = Check(f"recorder.camera.{camera.name}", self._cameras_changed)
                    ui.Spacer(width=8)
                    _clickable(camera.name, check)
                    ui.Label(camera.size, name="faint", width=_SIZE, alignment=ui.Alignment.RIGHT_CENTER)
            if not view.cameras:
                ui.Label("This task has no camera.", name="faint", height=style.ROW - 2)
            ui.Spacer(height=6)
            with ui.HStack(height=20):
                ui.Label("State", name="name", width=_COLUMN, tooltip="Joined, in this order, into observation.state")
                ui.Label("Own", name="name", width=_OWN_COLUMN, tooltip="Recorded as a feature of its own")
                ui.Label("Observation", name="name", elided_text=True)
                ui.Label("Size", name="name", width=_SIZE, alignment=ui.Alignment.RIGHT_CENTER)
            for term in view.terms:
                self._term_row(term)

    def _term_row(self, term: TermRow) -> None:
        key = term.key
        with ui.HStack(height=style.ROW - 2):
            with ui.HStack(width=_COLUMN):
                if term.can_be_state:
                    check = Check(f"recorder.state_key.{key}", lambda: self._state_toggled(key))
                    ui.Spacer(width=5)
                    position = Text(f"recorder.state_position.{key}")
                    self._states[key] = (check, position)
                else:
                    ui.Spacer()
            with ui.HStack(width=_OWN_COLUMN):
                own = self._observations[key] = Check(f"recorder.observation_key.{key}", self._observations_changed)
            _clickable(term.label, self._states[key][0] if term.can_be_state else own)
            if term.can_be_state:
                self._raises[key] = _raise_button(key, lambda: self._raise(key))
            ui.Label(term.size, name="faint", width=_SIZE, alignment=ui.Alignment.RIGHT_CENTER)

    # ---- what a person does ------------------------------------------------------------------------------------

    def _cameras_changed(self) -> None:
        chosen = tuple(name for name, check in self._cameras.items() if check.checked)
        self._post(Configure({"cameras": chosen}))

    def _observations_changed(self) -> None:
        chosen = tuple(key for key, check in self._observations.items() if check.checked)
        self._post(Configure({"observation_keys": chosen}))

    def _state_toggled(self, key: str) -> None:
        order = [known for known in self._state_order() if known != key]
        if self._states[key][0].checked:
            order.append(key)
        self._post(Configure({"state_keys": tuple(order)}))

    def _raise(self, key: str) -> None:
        order = self._state_order()
        index = order.index(key)
        order[index - 1 : index + 1] = [order[index], order[index - 1]]
        self._post(Configure({"state_keys": tuple(order)}))

    def _state_order(self) -> list[str]:
        terms = self._view.terms if self._view is not None else ()
        return [term.key for term in sorted(terms, key=lambda term: term.position) if term.position]


def _clickable(text: str, check: Check) -> None:
    """A label that checks its box as well: a larger thing to hit."""

    def toggle(_x: float, _y: float, mouse_button: int, _modifiers: int) -> None:
        if mouse_button == 0:
            check.toggle()

    ui.Label(text, elided_text=True, mouse_pressed_fn=toggle)


def _raise_button(key: str, clicked: Callable[[], None]) -> Any:
    stack = ui.ZStack(width=22, visible=False, tooltip="Earlier in observation.state")
    with stack:
        with ui.VStack():
            ui.Spacer()
            with ui.HStack(height=8):
                ui.Spacer()
                ui.Triangle(width=11, height=8, alignment=ui.Alignment.CENTER_TOP)
                ui.Spacer()
            ui.Spacer()
        ui.InvisibleButton(clicked_fn=clicked, identifier=f"recorder.state_up.{key}")
    return stack
