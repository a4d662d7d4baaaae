"""A double of Kit's ``omni.kit.menu.utils``: menu entries that are kept, looked at and clicked, but not drawn.

Follows the extension's ``scripts/builder_utils.py`` (``MenuItemDescription``) and its public API (``add_menu_items``,
``remove_menu_items``, ``refresh_menu_items``). As there, a tick is what ``ticked_fn`` said when the menu was last built
or refreshed, and a refresh happens with the next update.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import carb.eventdispatcher
import omni.ext
import omni.kit.app

_menus: dict[str, list[_Entry]] = {}
_to_refresh: set[str] = set()


class MenuItemDescription:
    """Describes an entry; of the real one's many arguments, those that go with a plain entry."""

    def __init__(
        self,
        name: str = "",
        glyph: str = "",
        header: str | None = None,
        appear_after: list[str] | str = "",
        enabled: bool = True,
        ticked: bool = False,
        ticked_value: bool | None = None,
        radio_group: str | None = "",
        sub_menu: list[MenuItemDescription] | None = None,
        hotkey: tuple[int, int] | None = None,
        name_fn: Callable[[], str] | None = None,
        show_fn: Callable[[], bool] | None = None,
        enable_fn: Callable[[], bool] | None = None,
        ticked_fn: Callable[[], bool] | None = None,
        onclick_action: tuple[Any, ...] | None = None,
        unclick_action: tuple[Any, ...] | None = None,
        onclick_fn: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.header = header
        self.appear_after = appear_after
        self.enabled = enabled
        self.ticked = bool(ticked or ticked_value is not None or ticked_fn is not None)
        self.ticked_value = ticked_value
        self.sub_menu = sub_menu
        self.ticked_fn = ticked_fn
        self.enable_fn = enable_fn
        self.show_fn = show_fn
        self.onclick_action = onclick_action
        self.onclick_fn = onclick_fn


def add_menu_items(
    menu: list[MenuItemDescription],
    name: str,
    menu_index: int = 0,
    can_rebuild_menus: bool = True,
    delegate: Any = None,
) -> list[MenuItemDescription]:
    """Add entries to the menu of that name."""
    _menus.setdefault(name, []).extend(_Entry(item) for item in menu)
    refresh_menu_items(name)
    return menu


def remove_menu_items(menu: list[MenuItemDescription], name: str, can_rebuild_menus: bool = True) -> None:
    """Take entries out of the menu of that name; those that are not in it are passed over."""
    kept = [entry for entry in _menus.get(name, []) if not any(entry.item is item for item in menu)]
    _menus[name] = kept


def refresh_menu_items(name: str, immediately: bool | None = None) -> None:
    """Bring the entries of a menu up to date, with the next update."""
    _to_refresh.add(name)


# ---- not in the real one: what a person does with a menu ------------------------------------------------------------


def entries(name: str) -> dict[str, bool]:
    """Return the entries of a menu, and whether each shows a tick."""
    return {entry.item.name: entry.tick for entry in _menus.get(name, [])}


def click(name: str, entry: str) -> None:
    """Click an entry of a menu."""
    (item,) = (found.item for found in _menus.get(name, []) if found.item.name == entry)
    if item.onclick_fn is not None:
        item.onclick_fn()


@dataclass
class _Entry:
    item: MenuItemDescription
    tick: bool = False

    def refresh(self) -> None:
        item = self.item
        self.tick = item.ticked and bool(item.ticked_fn() if item.ticked_fn is not None else item.ticked_value)


class MenuUtilsExtension(omni.ext.IExt):
    """Carries refreshes out."""

    def on_startup(self, ext_id: str) -> None:
        self._subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.kit.menu.utils host",
            event_name=omni.kit.app.GLOBAL_EVENT_UPDATE,
            on_event=lambda _event: _refresh(),
        )

    def on_shutdown(self) -> None:
        self._subscription = None
        _menus.clear()


def _refresh() -> None:
    while _to_refresh:
        for entry in _menus.get(_to_refresh.pop(), []):
            entry.refresh()
