"""``StateCard``: what the recording is doing, large enough to be read from across the desk."""

from __future__ import annotations

from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.view import Tone, View
from isaac_lerobot.kit.panel.widgets import Text
from isaac_lerobot.recording import Severity


class StateCard:
    """State, running episode, progress, counts and the last message."""

    def __init__(self) -> None:
        self._tone: Tone | None = None
        self._severity: Severity | None = None
        self._filled = -1.0
        with ui.VStack(height=0, spacing=style.GAP):
            self._build_state()
            self._build_progress()
            with ui.HStack(height=50, spacing=style.GAP):
                self._saved = _count("Saved", "recorder.saved", style.TEXT)
                self._succeeded = _count("Success", "recorder.succeeded", style.GOOD)
                self._failed = _count("Failed", "recorder.failed", style.BAD)
                self._discarded = _count("Discarded", "recorder.discarded", style.FAINT)
            with ui.ZStack(height=0):
                ui.Rectangle(name="message")
                with ui.HStack(height=0):
                    self._message_bar = ui.Rectangle(width=4, style={"background_color": style.FAINT})
                    with ui.VStack(height=0):
                        ui.Spacer(height=6)
                        with ui.HStack(height=0):
                            ui.Spacer(width=8)
                            self._message = Text("recorder.message", word_wrap=True, height=0)
                            ui.Spacer(width=6)
                        ui.Spacer(height=6)

    def show(self, view: View) -> None:
        """Bring the card up to date."""
        if view.tone is not self._tone:
            self._tone = view.tone
            self._background.set_style({"background_color": style.TONES[view.tone], "border_radius": 6})
        self._state.show(view.state)
        self._headline.show(view.headline)
        self._detail.show(view.detail)
        self._seconds.show(view.seconds)
        self._frames.show(view.frames)
        self._progress.show(view.progress_text)
        if view.progress != self._filled:
            self._filled = view.progress
            self._bar.width = ui.Percent(view.progress * 100.0)
            self._bar.visible = view.progress > 0.0
        self._saved.show(view.saved)
        self._succeeded.show(view.succeeded)
        self._failed.show(view.failed)
        self._discarded.show(view.discarded)
        if view.message_severity is not self._severity:
            self._severity = view.message_severity
            self._message.recolor(style.MESSAGES[view.message_severity])
            self._message_bar.set_style({"background_color": style.MESSAGES[view.message_severity]})
        self._message.show(view.message)

    def _build_state(self) -> None:
        with ui.ZStack(height=88):
            self._background = ui.Rectangle()
            with ui.HStack():
                ui.Spacer(width=14)
                with ui.VStack():
                    ui.Spacer(height=5)
                    with ui.HStack(height=36):
                        self._state = Text("recorder.state", "state", elided_text=True)
                        self._seconds = Text("recorder.seconds", "state", width=0)
                    with ui.HStack(height=22):
                        self._headline = Text("recorder.headline", "headline", elided_text=True)
                        self._frames = Text("recorder.frames", "headline", width=0)
                    self._detail = Text("recorder.detail", "detail", height=19, elided_text=True)
                    ui.Spacer()
                ui.Spacer(width=14)

    def _build_progress(self) -> None:
        with ui.ZStack(height=22, identifier="recorder.progress"):
            ui.Rectangle(name="trough")
            with ui.HStack():
                self._bar = ui.Rectangle(name="bar", width=ui.Percent(0), identifier="recorder.progress_bar")
            self._progress = Text("recorder.progress_text", alignment=ui.Alignment.CENTER)


def _count(caption: str, identifier: str, color: Any) -> Text:
    with ui.ZStack():
        ui.Rectangle(name="raised")
        with ui.VStack():
            ui.Spacer(height=3)
            number = Text(identifier, "count", height=26, alignment=ui.Alignment.CENTER)
            number.recolor(color)
            ui.Label(caption, name="caption", height=16, alignment=ui.Alignment.CENTER)
            ui.Spacer()
    return number
