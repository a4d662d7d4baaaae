"""The entry in Kit's Window menu, in apps that have menus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isaac_lerobot.kit.guest.host_app import has_extension


class WindowMenu:
    """A ticked entry that shows and hides a window.

    Args:
        title: Title of the window, and the entry's text.
        is_shown: Whether the window is open.
        show: Opens or closes it.
    """

    def __init__(self, title: str, is_shown: Callable[[], bool], show: Callable[[bool], None]) -> None:
        self._items: list[Any] = []
        if not has_extension("omni.kit.menu.utils"):
            return
        from omni.kit.menu.utils import MenuItemDescription, add_menu_items

        self._items = [
            MenuItemDescription(
                name=title,
                ticked=True,
                ticked_fn=lambda *_: is_shown(),
                onclick_fn=lambda *_: show(not is_shown()),
            )
        ]
        add_menu_items(self._items, "Window")

    def refresh(self) -> None:
        """Bring the tick up to date."""
        if self._items:
            from omni.kit.menu.utils import refresh_menu_items

            refresh_menu_items("Window")

    def remove(self) -> None:
        """Take the entry away."""
        if self._items:
            from omni.kit.menu.utils import remove_menu_items

            remove_menu_items(self._items, "Window")
            self._items = []
