"""The errors a user may meet: each says what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path


class IsaacLeRobotError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(IsaacLeRobotError, ValueError):
    """A setting, an option or a preset holds something that cannot be used."""


class DatasetError(IsaacLeRobotError):
    """A dataset folder cannot be read, written or continued."""


class FeatureError(DatasetError, ValueError):
    """A frame or a feature definition does not have the names, shapes or dtypes that it must have."""


class DatasetLockedError(DatasetError):
    """Another process is writing the same dataset."""


class EncoderError(DatasetError):
    """A video encoder could not be started, or died."""


class TaskError(IsaacLeRobotError):
    """A task cannot be found, built or stepped, or lacks what was asked of it."""


class DeviceError(IsaacLeRobotError):
    """A teleop device is not there, or does not fit the task."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> str:
    """Return a clause naming the known names closest to ``name``, for the end of an error message.

    Example: ``"Did you mean 'policy/joint_pos'?"``; the whole list where nothing is close.
    """
    known = list(known)
    matches = difflib.get_close_matches(name, known, n=limit, cutoff=0.5)
    if matches:
        return "Did you mean " + " or ".join(repr(match) for match in matches) + "?"
    if not known:
        return "There are none."
    return "There are: " + ", ".join(sorted(known)) + "."


def install_line(*packages: str) -> str:
    """Return the line that installs packages for the Python that is running, for the end of an error message.

    Inside Isaac Sim's own app there may be no Python program to name: then it is the one that Isaac Sim ships.
    """
    program = sys.executable or ""
    if not Path(program).stem.lower().startswith("python"):
        program = "python.bat" if sys.platform == "win32" else "./python.sh"
    elif " " in program:
        program = f'"{program}"'
    return " ".join([program, "-m pip install", *(f'"{package}"' for package in packages)])


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, for a message of ours that goes on; its kind where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
