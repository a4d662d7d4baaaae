"""The few kinds of widget the panel is made of. Each one shows what it is told and reports what a person does to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import omni.ui as ui

from isaac_lerobot.kit.panel import style
from isaac_lerobot.kit.panel.keys import EditedField
from isaac_lerobot.kit.panel.view import ButtonView


class PushButton:
    """A button whose text and enabled flag come from the view."""

    def __init__(self, identifier: str, clicked: Callable[[], None], look: dict[str, Any], **size: Any) -> None:
        self._shown: ButtonView | None = None
        self._button = ui.Button("", identifier=identifier, clicked_fn=clicked, style=look, **size)

    def show(self, shown: ButtonView) -> None:
        """Bring the button up to date."""
        if shown != self._shown:
            self._shown = shown
            self._button.text = shown.text
            self._button.enabled = shown.enabled


class Text:
    """A label that is touched only when its text changes."""

    def __init__(self, identifier: str, name: str = "", **look: Any) -> None:
        self._label = ui.Label("", identifier=identifier, name=name, **look)

    def show(self, text: str) -> None:
        """Bring the label up to date."""
        if text != self._label.text:
            self._label.text = text

    def show_if_any(self, text: str) -> None:
        """Bring the label up to date; without a text it takes no room."""
        self.show(text)
        if self._label.visible != bool(text):
            self._label.visible = bool(text)

    def recolor(self, color: Any) -> None:
        """Give the text another colour."""
        self._label.set_style({"color": color})


class Entry:
    """A field to type in; reports its value when the person leaves it, and is never changed under their hands."""

    def __init__(self, identifier: str, entered: Callable[[str], None], placeholder: str = "") -> None:
        self._entered = entered
        self._editing = False
        with ui.ZStack(height=style.ROW):
            self._field = ui.StringField(identifier=identifier)
            self._placeholder = ui.Label(
                placeholder, name="faint", style={"margin_width": 7}, elided_text=True, visible=bool(placeholder)
            )
        model = self._field.model
        self._subscriptions = [
            model.subscribe_begin_edit_fn(lambda _model: self._begin()),
            model.subscribe_end_edit_fn(lambda _model: self._end()),
            EditedField(model),
        ]

    def show(self, value: str, enabled: bool, placeholder: str | None = None) -> None:
        """Bring the field up to date."""
        if self._field.enabled != enabled:
            self._field.enabled = enabled
        if not self._editing and self._field.model.as_string != value:
            self._field.model.set_value(value)
        if placeholder is not None and self._placeholder.text != placeholder:
            self._placeholder.text = placeholder
        empty = not self._editing and not self._field.model.as_string
        if self._placeholder.visible != empty:
            self._placeholder.visible = empty

    def _begin(self) -> None:
        self._editing = True
        self._placeholder.visible = False

    def _end(self) -> None:
        self._editing = False
        self._entered(self._field.model.as_string)


class NumberEntry:
    """A field for a whole number."""

    def __init__(self, identifier: str, entered: Callable[[int], None], **size: Any) -> None:
        self._entered = entered
        self._editing = False
        self._field = ui.IntField(identifier=identifier, height=style.ROW, **size)
        model = self._field.model
        self._subscriptions = [
            model.subscribe_begin_edit_fn(lambda _model: self._begin()),
            model.subscribe_end_edit_fn(lambda _model: self._end()),
            EditedField(model),
        ]

    def show(self, value: int, enabled: bool) -> None:
        """Bring the field up to date."""
        if self._field.enabled != enabled:
            self._field.enabled = enabled
        if not self._editing and self._field.model.as_int != value:
            self._field.model.set_value(value)

    def _begin(self) -> None:
        self._editing = True

    def _end(self) -> None:
        self._editing = False
        self._entered(self._field.model.as_int)


class Check:
    """A check box."""

    def __init__(self, identifier: str, toggled: Callable[[], None]) -> None:
        self._showing = False
        self._toggled = toggled
        with ui.VStack(width=18):
            ui.Spacer(height=6)
            self._box = ui.CheckBox(identifier=identifier, height=14)
            ui.Spacer()
        self._subscription = self._box.model.subscribe_value_changed_fn(lambda _model: self._changed())

    @property
    def checked(self) -> bool:
        """Whether the box is checked."""
        return bool(self._box.model.as_bool)

    def show(self, checked: bool, enabled: bool) -> None:
        """Bring the box up to date."""
        if self._box.enabled != enabled:
            self._box.enabled = enabled
        if self.checked != checked:
            self._showing = True
            self._box.model.set_value(checked)
            self._showing = False

    def toggle(self) -> None:
        """Do what a click on the box does."""
        if self._box.enabled:
            self._box.model.set_value(not self.checked)

    def _changed(self) -> None:
        if not self._showing:
            self._toggled()


class Choice:
    """A drop-down list of values with a text each."""

    def __init__(self, identifier: str, chosen: Callable[[str], None]) -> None:
        self._identifier = identifier
        self._chosen = chosen
        self._rows: tuple[tuple[str, str], ...] = ()
        self._value = ""
        self._enabled = True
        self._showing = False
        self._combo: Any = None
        self._subscription: Any = None
        self._frame = ui.Frame(height=style.ROW)

    def show(self, rows: Sequence[tuple[str, str]], value: str, enabled: bool) -> None:
        """Bring the list up to date: pairs of value and text, and which value is chosen."""
        if tuple(rows) != self._rows:
            self._rows = tuple(rows)
            self._build(value)
        model = self._combo.model.get_item_value_model()
        index = next((i for i, (known, _text) in enumerate(self._rows) if known == value), -1)
        if model.as_int != index:
            self._showing = True
            model.set_value(index)
            self._showing = False
        if self._combo.enabled != enabled:
            self._combo.enabled = enabled

    def _build(self, value: str) -> None:
        self._subscription = None
        index = next((i for i, (known, _text) in enumerate(self._rows) if known == value), 0)
        self._frame.clear()
        with self._frame:
            self._combo = ui.ComboBox(index, *(text for _value, text in self._rows), identifier=self._identifier)
        model = self._combo.model
        self._subscription = model.subscribe_item_changed_fn(lambda _model, _item: self._changed())

    def _changed(self) -> None:
        index = self._combo.model.get_item_value_model().as_int
        if not self._showing and 0 <= index < len(self._rows):
            self._chosen(self._rows[index][0])


class Switch:
    """Two or three buttons side by side, of which one is chosen."""

    def __init__(self, rows: Sequence[tuple[str, str, str]], chosen: Callable[[str], None]) -> None:
        self._buttons: dict[str, Any] = {}
        self._shown: tuple[str, bool] | None = None
        with ui.HStack(height=style.ROW, spacing=2):
            for value, text, identifier in rows:
                self._buttons[value] = ui.Button(
                    text, identifier=identifier, clicked_fn=lambda value=value: chosen(value), style=style.PLAIN
                )

    def show(self, value: str, enabled: bool) -> None:
        """Bring the buttons up to date."""
        if (value, enabled) == self._shown:
            return
        self._shown = (value, enabled)
        for known, button in self._buttons.items():
            button.enabled = enabled
            button.set_style(style.SELECTED if known == value else style.PLAIN)


@contextmanager
def section(title: str, identifier: str) -> Iterator[Any]:
    """Build a titled, foldable part of the panel; gives the frame that folds."""

    def header(folded: bool, text: str) -> None:
        with ui.ZStack(height=30):
            ui.Rectangle(name="raised")
            with ui.HStack(spacing=8):
                ui.Spacer(width=2)
                with ui.VStack(width=10):
                    ui.Spacer()
                    ui.Triangle(
                        width=10,
                        height=10,
                        alignment=ui.Alignment.RIGHT_CENTER if folded else ui.Alignment.CENTER_BOTTOM,
                    )
                    ui.Spacer()
                ui.Label(text, name="section")

    frame = ui.CollapsableFrame(title, identifier=identifier, build_header_fn=header, height=0)
    with frame, ui.HStack(height=0):
        ui.Spacer(width=8)
        with ui.VStack(height=0, spacing=style.GAP):
            ui.Spacer(height=0)
            yield frame
            ui.Spacer(height=2)
        ui.Spacer(width=8)


def row(name: str) -> Any:
    """Return a stack that begins with a field's name."""
    stack = ui.HStack(height=0, spacing=style.GAP)
    with stack:
        ui.Label(name, name="name", width=style.LABEL, height=style.ROW)
    return stack


class Note:
    """A faint explanation below a field; without a text it takes no room.

    Lines with two or more blanks inside (``"B   begin recording"``) are set as a table of two columns.
    """

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._text = ""
        self._row = ui.HStack(height=0, spacing=style.GAP, visible=False)
        with self._row:
            ui.Spacer(width=style.LABEL)
            self._frame = ui.Frame(height=0)

    def show(self, text: str) -> None:
        """Bring the note up to date."""
        if text == self._text:
            return
        self._text = text
        self._row.visible = bool(text)
        self._frame.clear()
        with self._frame, ui.VStack(height=0, identifier=self._identifier):
            for line in text.splitlines():
                key, *meaning = re.split(r" {2,}", line.strip(), maxsplit=1)
                with ui.HStack(height=0):
                    ui.Label(key, name="faint", word_wrap=True, height=0, width=ui.Fraction(2))
                    if meaning:
                        ui.Label(meaning[0], name="faint", word_wrap=True, height=0, width=ui.Fraction(3))
