"""Packages that only some tools need: found when they are used, and named with the line that installs them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

from isaac_lerobot.errors import ConfigError, install_line

PIP_NAMES = {"imageio_ffmpeg": "imageio[ffmpeg]", "PIL": "pillow"}
"""What pip calls the packages that have another name than their module."""


def load(module: str, purpose: str) -> Any:
    """Import and return a module.

    Args:
        module: Its name.
        purpose: What needs it, as the beginning of a sentence.

    Raises:
        ConfigError: It is not installed; the message holds the line to type.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ConfigError(missing_text([module], purpose)) from None


def check_installed(modules: Iterable[str], purpose: str) -> None:
    """Make sure that all of these modules could be imported, without importing them.

    Raises:
        ConfigError: Some could not; the message names them all, with one line to type.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(missing_text(missing, purpose))


def missing_text(modules: list[str], purpose: str) -> str:
    """Return the message about missing modules, with the line that installs them."""
    line = install_line(*(PIP_NAMES.get(module, module) for module in modules))
    verb = "is" if len(modules) == 1 else "are"
    return f"{purpose} needs {', '.join(modules)}, which {verb} not installed. Run: {line}"
