"""``Form``: who drives, who judges, how many, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.folder_dialog import FolderDialog
from isaac_lerobot.kit.panel.view import ButtonView, View
from isaac_lerobot.kit.panel.widgets import Choice, Entry, Note, NumberEntry, PushButton, Switch, row, section
from isaac_lerobot.recording import Command, Configure


class Form:
    """The settings of a recording that are typed or chosen."""

    def __init__(self, post: Callable[[Command], None]) -> None:
        def setter(name: str) -> Callable[[Any], None]:
            return lambda value: post(Configure({name: value}))

        self._folder = ""
        self._dialog = FolderDialog("Dataset folder", setter("dataset"))
        with section("Recording", "recorder.section.recording"):
            with row("Teleop device"):
                self._device = Choice("recorder.teleop_device", setter("teleop_device"))
            self._device_help = Note("recorder.device_help")
            with row("Success by"):
                self._success = Switch(
                    (
                        ("term", "Task's term", "recorder.success_by.term"),
                        ("manual", "Operator", "recorder.success_by.manual"),
                    ),
                    setter("success"),
                )
            self._success_help = Note("recorder.success_help")
            with row("Demos to record"):
                self._num_demos = NumberEntry("recorder.num_demos", setter("num_demos"), width=90)
                ui.Label("0: until you finish", name="faint", elided_text=True)
        with section("Dataset", "recorder.section.dataset"):
            with row("Folder"):
                self._dataset = Entry("recorder.dataset", setter("dataset"), "Folder to record into")
                self._browse = None
                if FolderDialog.is_available():
                    self._browse = PushButton("recorder.browse", self._pick_folder, style.PLAIN, width=76)
            self._dataset_help = Note("recorder.dataset_help")
            with row("Description"):
                self._description = Entry(
                    "recorder.task_description", setter("task_description"), "What the robot does"
                )

    def show(self, view: View) -> None:
        """Bring the fields up to date."""
        devices = [(device.name, device.label) for device in view.devices]
        self._device.show(devices, view.device, view.device_editable)
        self._device_help.show(view.device_help)
        self._success.show("term" if view.success_by_term else "manual", view.settings_editable)
        self._success_help.show(view.success_help)
        self._num_demos.show(view.num_demos, view.settings_editable)
        self._folder = view.dataset
        self._dataset.show(view.dataset, view.choices_editable)
        self._dataset_help.show(view.dataset_help)
        self._description.show(view.task_description, view.settings_editable, view.task_description_default or None)
        if self._browse is not None:
            self._browse.show(ButtonView("Browse", view.choices_editable))

    def destroy(self) -> None:
        """Close what was opened beside the panel."""
        self._dialog.destroy()

    def _pick_folder(self) -> None:
        self._dialog.show(self._folder)
