"""Whether somebody is typing: every key then belongs to the text field, and to no robot."""

from __future__ import annotations

import weakref


class TextInput:
    """The text fields that are being edited. Whoever draws a field says when editing begins and ends.

    A field that goes away in mid-edit is forgotten by itself.
    """

    def __init__(self) -> None:
        self._edited: weakref.WeakSet[object] = weakref.WeakSet()

    @property
    def active(self) -> bool:
        """Whether a field is being edited."""
        return bool(self._edited)

    def begin(self, field: object) -> None:
        """Note that ``field`` is being edited."""
        self._edited.add(field)

    def end(self, field: object) -> None:
        """Note that ``field`` is edited no more."""
        self._edited.discard(field)

    def clear(self) -> None:
        """Note that no field is edited: the window that they were in is gone."""
        self._edited.clear()


text_input = TextInput()
"""The one of this process: there is one keyboard."""
