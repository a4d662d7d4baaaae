"""A double of Kit's ``omni.kit.window.filepicker``: a file dialog that is not drawn, and filled in by whoever holds it.

Follows the public reference of omni.kit.window.filepicker 2.14 (``FilePickerDialog``). As there, a dialog neither
closes itself when a button is pressed nor goes away until it is destroyed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

dialogs: list[FilePickerDialog] = []
"""Those there are."""


class FilePickerDialog:
    """The dialog."""

    def __init__(
        self,
        title: str,
        apply_button_label: str = "Okay",
        click_apply_handler: Callable[[str, str], None] | None = None,
        click_cancel_handler: Callable[[str, str], None] | None = None,
        **_others: Any,
    ) -> None:
        self.title = title
        self.visible = True
        self.directory = ""
        self._on_apply = click_apply_handler
        self._on_cancel = click_cancel_handler
        dialogs.append(self)

    def show(self, path: str | None = None) -> None:
        self.visible = True
        self.directory = path or self.directory

    def hide(self) -> None:
        self.visible = False

    def destroy(self) -> None:
        dialogs.remove(self)

    # ---- not in the real one: what a person does ----------------------------------------------------------------

    def apply(self, filename: str, dirname: str) -> None:
        """Press the button that takes what was chosen."""
        if self._on_apply is not None:
            self._on_apply(filename, dirname)

    def cancel(self) -> None:
        """Press Cancel."""
        if self._on_cancel is not None:
            self._on_cancel("", self.directory)
