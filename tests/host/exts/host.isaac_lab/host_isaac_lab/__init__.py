"""Stands for the modules of Isaac Lab that cannot be imported in the test host, as they want native parts of Kit.

Whoever imports one of ``_REPLACED`` gets the module in here instead, which says what of the real one it has.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import omni.ext

_REPLACED = {
    "isaaclab_physx.renderers.fabric": "fabric.py",
    "isaaclab.envs.ui.base_env_window": "base_env_window.py",
}


class IsaacLabExtension(omni.ext.IExt):
    """Lets the stand-ins be imported in the real modules' place."""

    def on_startup(self, ext_id: str) -> None:
        self._finder = _Finder()
        sys.meta_path.insert(0, self._finder)

    def on_shutdown(self) -> None:
        sys.meta_path.remove(self._finder)


class _Finder:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = _REPLACED.get(name)
        return spec_from_file_location(name, Path(__file__).with_name(file)) if file else None
