"""The user's kind of app: the experience files of Isaac Sim and Isaac Lab, without what cannot be had here.

Every setting of those files holds as on the user's machine (fast shutdown, rate limit, time stepping, …). Of the
extensions they name, the ones in ``REAL`` run for real; for a few others there are doubles in ``tests/host/exts``; the
rest are in packages that no public index has, and are left out.

``KitHost`` starts such an app as Isaac Sim's own command does. A script, or a command of ours, that lets Isaac Lab's
launcher start it needs ``environment()`` and ``launcher_arguments()``.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from host.prepare import EXTENSION, ISAAC_SIM

DOUBLES = Path(__file__).parent / "exts"
"""Folder of the extensions that stand for what cannot be had."""

EXTENSIONS = ISAAC_SIM / "isaacsim" / "exts"
"""Isaac Sim's own extensions."""

REAL = (
    "isaacsim.core.deprecation_manager",
    "isaacsim.core.version",
    "isaacsim.simulation_app",
    "omni.client.lib",
    "omni.kit.loop-isaac",
)
"""Extensions of Isaac Sim and Kit that start here, given the doubles."""

_ALWAYS = ("omni.client.lib", "omni.kit.loop-isaac", "omni.kit.usd.layers", "omni.timeline", "omni.usd")
_WITH_INTERFACE = (
    "omni.appwindow",
    "omni.kit.menu.utils",
    "omni.kit.viewport.utility",
    "omni.kit.widget.toolbar",
    "omni.ui",
    "host.isaac_lab",
)
"""What an app has though no experience names it: extensions that are left out here would bring it along."""


def environment() -> dict[str, str]:
    """Return what stands in the environment of a process in which Isaac Sim is installed in full."""
    if not EXTENSIONS.is_dir():
        raise RuntimeError(f"Isaac Sim's own extensions are not in {ISAAC_SIM}; run `make setup`.")
    return {"ISAAC_PATH": str(ISAAC_SIM / "isaacsim")}


def bootstrap() -> None:
    """Import ``isaacsim`` as the ``isaacsim`` command and every script does first.

    It finds Isaac Sim's ``simulation_app`` through ``ISAAC_PATH`` and leaves the module ``isaacsim.simulation_app``
    behind, whether or not a ``SimulationApp`` is made later.
    """
    os.environ |= environment()
    importlib.import_module("isaacsim")


def launcher_arguments(home: Path, *kit_arguments: str, experience: str = "isaaclab.python.rendering") -> list[str]:
    """Return the launcher flags with which Isaac Lab's own launcher starts Kit here.

    Args:
        home: Where Kit keeps logs and remembered settings, and the experience is written to.
        kit_arguments: Further arguments of Kit, without spaces.
        experience: See :func:`write_experience`.
    """
    path = write_experience(experience, home / "apps")
    return ["--experience", str(path), f"--kit_args={' '.join(['--portable-root', str(home), *kit_arguments])}"]


def write_experience(name: str, folder: Path) -> Path:
    """Write an experience and those it builds on into a folder, without the extensions that are not here.

    Args:
        name: ``"isaacsim.exp.full"`` and others of Isaac Sim, ``"isaaclab.python.rendering"`` and others of Isaac Lab.
            Those with "headless" in their name have no interface.
        folder: Where to.

    Returns:
        The path of the experience's file.
    """
    path = _write(name, folder)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n[dependencies]\n")
        for extension in (*_ALWAYS, *(() if "headless" in name else _WITH_INTERFACE)):
            file.write(f'"{extension}" = {{}}\n')
        file.write("\n[settings.app.extensions]\nregistryEnabled = false\n")
    return path


def _write(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    available = {*REAL, *(double.name for double in DOUBLES.iterdir())}
    lines: list[str] = []
    table = ""
    for line in _find_experience(name).read_text(encoding="utf-8").splitlines():
        table = line if line.startswith("[") else table
        named = re.match(r'\s*"([^"]+)"\s*=', line) if table.startswith("[dependencies") else None
        if named and named[1] not in available:
            if not _is_experience(named[1]):
                continue
            _write(named[1], folder)
        lines.append(line)
        if table.startswith("[settings.app.exts") and line.endswith("= ["):
            lines += [f'    "{place}",' for place in (folder, EXTENSIONS, DOUBLES, EXTENSION.parent)]
    path = folder / f"{name}.kit"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


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
