"""Record LeRobot v3.0 datasets from Isaac Sim and Isaac Lab while the simulation runs.

For scripts: :func:`register` makes our file handler known to Isaac Lab, ``LeRobotRecorderManagerCfg`` streams what a
recorder manager records, and :func:`attach` records an environment that somebody else made and steps.

Importing this package imports nothing heavy: rooms load what they need when they are used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Attachment",
    "LeRobotDatasetFileHandler",
    "LeRobotRecorderCfg",
    "LeRobotRecorderManagerCfg",
    "RecordingConfig",
    "attach",
    "attach_when_created",
    "register",
]

_MODULES = {
    "Attachment": "sim.attach.attachment",
    "LeRobotDatasetFileHandler": "sim.manager.file_handler",
    "LeRobotRecorderCfg": "sim.manager.term",
    "LeRobotRecorderManagerCfg": "sim.manager.cfg",
    "RecordingConfig": "recording",
    "attach": "sim.attach.attachment",
    "attach_when_created": "sim.attach.watch",
    "register": "sim.manager.register",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
