"""``TaskPicker``: search the registered tasks, choose one, load it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.keys import EditedField
from isaac_lerobot.kit.panel.view import View
from isaac_lerobot.kit.panel.widgets import PushButton, section
from isaac_lerobot.recording import CloseTask, Command, Configure, ListTasks, OpenTask

_ROW = 22
_ROWS_SHOWN = 6


class TaskPicker:
    """A search field over the list of matching tasks, and what loads the chosen one."""

    def __init__(self, post: Callable[[Command], None]) -> None:
        self._post = post
        self._listed: tuple[tuple[str, ...], str, bool] | None = None
        self._view: View | None = None
        with section("Task", "recorder.section.task") as self._section:
            with ui.HStack(height=style.ROW, spacing=style.GAP):
                with ui.ZStack():
                    self._search = ui.StringField(identifier="recorder.task_search")
                    self._placeholder = ui.Label("Search tasks", name="faint", style={"margin_width": 7})
                self._list_tasks = PushButton("recorder.list_tasks", lambda: post(ListTasks()), style.PLAIN, width=84)
            with ui.ZStack(height=_ROW * _ROWS_SHOWN + 4):
                ui.Rectangle(name="well")
                self._frame = ui.ScrollingFrame(
                    horizontal_scrollbar_policy=ui.ScrollBarPolicy.SCROLLBAR_ALWAYS_OFF,
                    vertical_scrollbar_policy=ui.ScrollBarPolicy.SCROLLBAR_AS_NEEDED,
                )
            with ui.HStack(height=style.BUTTON, spacing=style.GAP):
                self._load = PushButton("recorder.load", lambda: post(OpenTask()), style.PRIMARY)
                self._close = PushButton("recorder.close", lambda: post(CloseTask()), style.PLAIN, width=100)
        model = self._search.model
        self._subscriptions = [
            model.subscribe_value_changed_fn(lambda _model: self._searched()),
            model.subscribe_begin_edit_fn(lambda _model: self._opened()),
            EditedField(model),
        ]

    def show(self, view: View) -> None:
        """Bring list and buttons up to date."""
        previous, self._view = self._view, view
        self._load.show(view.load)
        self._close.show(view.close)
        self._list_tasks.show(view.list_tasks)
        if self._search.enabled != view.task_editable:
            self._search.enabled = view.task_editable
        if view.loaded != (previous is not None and previous.loaded):
            self._section.collapsed = view.loaded  # out of the way once it is done, back when it is needed again
        title = f"Task: {view.task}" if view.task else "Task"
        if self._section.title != title:
            self._section.title = title
        self._fill(view)

    def _fill(self, view: View) -> None:
        needle = self._search.model.as_string.strip()
        words = needle.lower().split()
        known = view.tasks if view.task in view.tasks or not view.task else (view.task, *view.tasks)
        matching = tuple(task for task in known if all(word in task.lower() for word in words))
        if (matching, view.task, view.task_editable) == self._listed:
            return
        self._listed = (matching, view.task, view.task_editable)
        self._frame.clear()
        with self._frame, ui.VStack(height=0):
            ui.Spacer(height=2)
            for task in matching:
                self._task_row(task, chosen=task == view.task, enabled=view.task_editable)
            if not matching:
                text = "No task matches." if view.tasks else "Click the search field to list the registered tasks."
                ui.Label(text, name="faint", height=_ROW, style={"margin_width": 8})

    def _task_row(self, task: str, chosen: bool, enabled: bool) -> None:
        def choose(_x: float, _y: float, mouse_button: int, _modifiers: int) -> None:
            if mouse_button == 0 and enabled and not chosen:
                # Another task has other cameras and terms: what was chosen for the last one means nothing here.
                self._post(Configure({"task": task, "cameras": None, "state_keys": (), "observation_keys": ()}))

        with ui.ZStack(height=_ROW, identifier=f"recorder.task.{task}", mouse_pressed_fn=choose):
            ui.Rectangle(name="chosen" if chosen else "row")
            ui.Label(task, style={"margin_width": 8}, elided_text=True, name="" if enabled or chosen else "faint")

    def _searched(self) -> None:
        self._placeholder.visible = not self._search.model.as_string
        if self._view is not None:
            self._fill(self._view)

    def _opened(self) -> None:
        # Looking them up imports every task package, so it waits until somebody wants to choose.
        view: Any = self._view
        if view is not None and not view.tasks and view.list_tasks.enabled:
            self._post(ListTasks())
