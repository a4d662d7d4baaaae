"""``Controls``: the buttons an operator presses hundreds of times a day."""

from __future__ import annotations

from collections.abc import Callable

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.view import View
from isaac_lerobot.kit.panel.widgets import PushButton, Text
from isaac_lerobot.recording import Command, Discard, End, Finish, Outcome, Pause, Reset, Resume, SessionState, Start


class Controls:
    """Record, judge, pause, finish. Every press posts a command and does nothing else."""

    def __init__(self, post: Callable[[Command], None], state: Callable[[], SessionState]) -> None:
        def pause_or_resume() -> None:
            post(Resume() if state() is SessionState.PAUSED else Pause())

        with ui.VStack(height=0, spacing=style.GAP):
            with ui.HStack(height=style.BIG_BUTTON, spacing=style.GAP):
                self._record = PushButton("recorder.record", lambda: post(Start()), style.RECORD)
                self._pause = PushButton("recorder.pause", pause_or_resume, style.PLAIN)
            with ui.HStack(height=style.BIG_BUTTON, spacing=style.GAP):
                self._success = PushButton("recorder.success", lambda: post(End(Outcome.SUCCESS)), style.SUCCESS)
                self._failure = PushButton("recorder.failure", lambda: post(End(Outcome.FAILURE)), style.FAILURE)
                self._discard = PushButton("recorder.discard", lambda: post(Discard()), style.PLAIN)
            with ui.HStack(height=style.BUTTON, spacing=style.GAP):
                self._reset = PushButton("recorder.reset", lambda: post(Reset()), style.PLAIN)
                self._finish = PushButton("recorder.finish", lambda: post(Finish()), style.PRIMARY)
            self._hint = Text("recorder.hint", "hint", word_wrap=True, height=0)
            self._warning = Text("recorder.warning", "hint", word_wrap=True, height=0)

    def show(self, view: View) -> None:
        """Bring the buttons up to date."""
        self._record.show(view.record)
        self._pause.show(view.pause)
        self._success.show(view.success)
        self._failure.show(view.failure)
        self._discard.show(view.discard)
        self._reset.show(view.reset)
        self._finish.show(view.finish)
        self._hint.show_if_any(view.hint)
        self._warning.show_if_any(view.warning)
