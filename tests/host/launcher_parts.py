"""What Isaac Lab's launcher and Isaac Sim's ``SimulationApp`` want of an app, and no package index has.

Both run for real then: ``isaaclab_physx.app.kit_launcher`` and ``isaacsim.simulation_app``. They set something in these
modules, or only import them; nothing is asked of them afterwards.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

from host import isaac_sim
from host.kit_host import EXTENSION_FOLDERS


def stand_in() -> None:
    """Let the modules be imported. Call it after :func:`.isaac_sim.bootstrap`, before anything starts Kit."""
    buttons = types.SimpleNamespace(_play_button_group=None)  # as in an app whose toolbar has no play buttons
    toolbar = types.SimpleNamespace(_builtin_tools=buttons)
    _module("omni.client", set_hang_detection_time_ms=lambda milliseconds: None)
    _module("omni.kit.usd", layers=types.SimpleNamespace())
    _module("omni.kit.widget")
    _module("omni.kit.widget.toolbar", get_instance=lambda: toolbar)


def launcher_flags(home: Path, experience: str = "isaaclab.python.rendering") -> list[str]:
    """Return the launcher flags that start an experience without the extensions that are not here.

    Args:
        home: Where Kit keeps logs and remembered settings, and where the experience is written.
        experience: Name of the experience that Isaac Lab's launcher would choose.
    """
    file = isaac_sim.write_experience(experience, home / "apps")
    words = ["--portable-root", str(home), "--/app/extensions/registryEnabled=false", "--/log/outputStreamLevel=Warn"]
    for folder in (home / "apps", isaac_sim.EXTENSIONS, *EXTENSION_FOLDERS):
        words += ["--ext-folder", str(folder)]
    # Isaac Lab's experiences get their run loop from an extension that is not here.
    for extension in ("omni.kit.loop-isaac", "omni.ui", *isaac_sim.unnamed_doubles(ui=True)):
        words += ["--enable", extension]
    return ["--experience", str(file), "--kit_args", " ".join(words)]


def _module(name: str, **members: object) -> None:
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    setattr(importlib.import_module(parent), child, module)
