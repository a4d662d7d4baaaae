"""``FolderDialog``: Kit's file dialog, asked for a folder that need not exist yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isaac_lerobot.kit.guest.host_app import has_extension


class FolderDialog:
    """One dialog for as long as the panel lives.

    Args:
        title: Of its window.
        chosen: Called with the folder's path when one was chosen.
    """

    def __init__(self, title: str, chosen: Callable[[str], None]) -> None:
        self._title = title
        self._chosen = chosen
        self._dialog: Any = None

    @staticmethod
    def is_available() -> bool:
        """Return whether this app has the dialog."""
        return has_extension("omni.kit.window.filepicker")

    def show(self, folder: str) -> None:
        """Open the dialog, at a folder or at the nearest one above it that exists."""
        if self._dialog is None:
            from omni.kit.window.filepicker import FilePickerDialog

            self._dialog = FilePickerDialog(
                self._title,
                apply_button_label="Choose",
                click_apply_handler=self._on_apply,
                click_cancel_handler=lambda _name, _folder: self._hide(),
            )
        path = Path(folder).expanduser().absolute()
        self._dialog.show(str(next(place for place in (path, *path.parents) if place.is_dir())))

    def destroy(self) -> None:
        """Close the dialog for good."""
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.destroy()

    def _hide(self) -> None:
        if self._dialog is not None:
            self._dialog.hide()

    def _on_apply(self, name: str, folder: str) -> None:
        """Take what was chosen: the folder that is shown, or the one of that name in it, there already or not."""
        self._hide()
        chosen = Path(folder.rstrip("/\\") or "/")
        # A folder that is clicked may be both: where the dialog stands, and the name in its field.
        is_named_twice = chosen.name == name and chosen.is_dir() and not (chosen / name).exists()
        self._chosen(str(chosen if not name or is_named_twice else chosen / name))
