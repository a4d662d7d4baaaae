"""The user's kind of app: the experience files of Isaac Sim and Isaac Lab, without what cannot be had here.

Every setting of those files holds as on the user's machine (fast shutdown, rate limit, time stepping, …). Of the
extensions they name, the ones in ``REAL`` run for real; for a few others there are doubles in ``tests/host/exts``; the
rest are in packages that no public index has, and are left out.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from host import fabric
from host.prepare import ISAAC_SIM

DOUBLES = Path(__file__).parent / "exts"
"""Folder of the extensions that stand for what cannot be had."""

EXTENSIONS = ISAAC_SIM / "isaacsim" / "exts"
"""Isaac Sim's own extensions."""

REAL = ("isaacsim.core.deprecation_manager", "isaacsim.core.version", "isaacsim.simulation_app", "omni.kit.loop-isaac")
"""Isaac Sim's own extensions that start here, given the doubles."""

_UNNAMED = ("omni.usd", "omni.timeline")
_UNNAMED_WITH_UI = ("omni.appwindow", "omni.kit.viewport.utility")
"""Doubles that no experience names: other extensions, left out here, depend on what they stand for."""


def bootstrap() -> None:
    """Import ``isaacsim`` as the ``isaacsim`` command and every script does first.

    It finds Isaac Sim's ``simulation_app`` through ``ISAAC_PATH`` and leaves the module ``isaacsim.simulation_app``
    behind, whether or not a ``SimulationApp`` is made later.
    """
    if not EXTENSIONS.is_dir():
        raise RuntimeError(f"Isaac Sim's own extensions are not in {ISAAC_SIM}; run `make setup`.")
    os.environ["ISAAC_PATH"] = str(ISAAC_SIM / "isaacsim")
    importlib.import_module("isaacsim")
    fabric.stand_in()


def write_experience(name: str, folder: Path) -> Path:
    """Write an experience and those it builds on into a folder, without the extensions that are not here.

    Args:
        name: ``"isaacsim.exp.full"`` and others of Isaac Sim, ``"isaaclab.python.rendering"`` and others of Isaac Lab.
        folder: Where to.

    Returns:
        The path of the experience's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    available = {*REAL, *(double.name for double in DOUBLES.iterdir())}
    lines: list[str] = []
    in_dependencies = False
    for line in _find_experience(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            in_dependencies = line.startswith("[dependencies")
        named = re.match(r'\s*"([^"]+)"\s*=', line) if in_dependencies else None
        if named and named[1] not in available:
            if not _is_experience(named[1]):
                continue
            write_experience(named[1], folder)
        lines.append(line)
    path = folder / f"{name}.kit"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def unnamed_doubles(ui: bool) -> list[str]:
    """Return the doubles to enable beside an experience, with or without an interface."""
    return [*_UNNAMED, *(_UNNAMED_WITH_UI if ui else ())]


def _find_experience(name: str) -> Path:
    for folder in _experience_folders():
        if (path := folder / f"{name}.kit").exists():
            return path
    raise FileNotFoundError(f"There is no experience '{name}' in {[str(folder) for folder in _experience_folders()]}")


def _is_experience(name: str) -> bool:
    return any((folder / f"{name}.kit").exists() for folder in _experience_folders())


def _experience_folders() -> Iterator[Path]:
    for package in ("isaacsim", "isaaclab"):
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError(f"{package} is not installed here; start through tests/host/python after `make setup`.")
        yield Path(spec.submodule_search_locations[0]) / "apps"
