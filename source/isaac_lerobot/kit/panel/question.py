"""``Question``: a small window in front of all others that wants one answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.view import ButtonView
from isaac_lerobot.kit.panel.widgets import PushButton

_WIDTH = 470


@dataclass(frozen=True)
class Answer:
    """One of the answers.

    Attributes:
        identifier: Of its button.
        text: What it says.
        look: How its button looks.
        chosen: Called when it is chosen.
    """

    identifier: str
    text: str
    look: dict[str, Any]
    chosen: Callable[[], None]


@dataclass(frozen=True)
class Words:
    """What is asked.

    Attributes:
        title: Of the window.
        text: One or a few sentences.
        answers: From top to bottom; the last is taken where the window is closed without any.
    """

    title: str
    text: str
    answers: tuple[Answer, ...]


class Question:
    """The window; it is gone once an answer was chosen.

    Args:
        words: What is asked.

    Attributes:
        is_open: Whether no answer was chosen yet.
    """

    def __init__(self, words: Words) -> None:
        self.is_open = True
        self._dismissed = words.answers[-1].chosen
        flags = ui.WINDOW_FLAGS_NO_RESIZE | ui.WINDOW_FLAGS_NO_COLLAPSE | ui.WINDOW_FLAGS_MODAL
        height = 96 + len(words.answers) * (style.BUTTON + style.GAP)
        self._window: Any = ui.Window(words.title, width=_WIDTH, height=height, flags=flags)
        self._window.set_visibility_changed_fn(self._on_visibility)
        self._window.frame.set_style(style.PANEL)
        with self._window.frame, ui.ZStack():
            ui.Rectangle(name="surface")
            with ui.HStack():
                ui.Spacer(width=12)
                with ui.VStack(spacing=style.GAP):
                    ui.Spacer(height=4)
                    ui.Label(words.text, word_wrap=True, height=0, identifier="recorder.question")
                    ui.Spacer()
                    for answer in words.answers:
                        self._build(answer)
                    ui.Spacer(height=4)
                ui.Spacer(width=12)

    def close(self) -> None:
        """Take the question back."""
        self.is_open = False
        window, self._window = self._window, None
        if window is not None:
            window.visible = False
            window.destroy()

    def _build(self, answer: Answer) -> None:
        def clicked() -> None:
            self.is_open = False
            self._window.visible = False  # destroyed later: this is called from within it
            answer.chosen()

        button = PushButton(answer.identifier, clicked, answer.look, height=style.BUTTON)
        button.show(ButtonView(answer.text, enabled=True))

    def _on_visibility(self, visible: bool) -> None:
        if not visible and self.is_open:
            self.is_open = False
            self._dismissed()


def closing_while_recording(finish: Callable[[], None], discard: Callable[[], None], stay: Callable[[], None]) -> Words:
    """Return what is asked of whoever closes the app in the middle of an episode.

    Args:
        finish: Completes the dataset with the running episode, then closes the app.
        discard: Completes it without.
        stay: Goes on as before.
    """
    return Words(
        title="LeRobot Recorder is recording",
        text=(
            "An episode is running, and paused for now. Saved episodes are kept either way, and the dataset is "
            "completed before the app closes."
        ),
        answers=(
            Answer("recorder.leave_finish", "Keep this episode, and close", style.PRIMARY, finish),
            Answer("recorder.leave_discard", "Discard this episode, and close", style.FAILURE, discard),
            Answer("recorder.leave_stay", "Go on recording", style.PLAIN, stay),
        ),
    )
