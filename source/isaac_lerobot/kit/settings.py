"""Kit's settings as a recording configuration, and the panel's values remembered from one start to the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import carb.settings

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import RecordingConfig, find_preset, read_preset

ROOT = "/exts/isaac.lerobot.recorder"
"""Each field of ``RecordingConfig`` is a setting below this path; beside: ``autostart``, ``attach``, ``preset``."""

MEMORY = "/persistent/exts/isaac.lerobot.recorder"
"""Where the values last used in the panel are remembered, below the same names."""

_NOT_A_FIELD = ("attach", "autostart", "preset")
_REMEMBERED = (
    "task",
    "task_packages",
    "teleop_device",
    "dataset",
    "cameras",
    "state_keys",
    "observation_keys",
    "task_description",
    "num_demos",
    "success",
)


def autostart() -> bool:
    """Return whether to record by itself and end the app."""
    return bool(carb.settings.get_settings().get(f"{ROOT}/autostart"))


def attach() -> bool:
    """Return whether to record the environment of a script in this app instead of building one."""
    return bool(carb.settings.get_settings().get(f"{ROOT}/attach"))


def read_config(presets: Path) -> RecordingConfig:
    """Return the configuration that the settings ask for.

    What is set wins over the preset, and both over what is remembered; where Kit records by itself nothing is
    remembered, so that a command line means the same on every machine.

    Args:
        presets: Folder of the presets that come with the extension.

    Raises:
        ConfigError: A setting or the preset holds something that cannot be used.
    """
    given = _values(ROOT)
    preset = given.get("preset")
    values = {name: value for name, value in given.items() if name not in _NOT_A_FIELD}
    if preset:
        values = {**read_preset(find_preset(str(preset), presets)), **values}
    config = RecordingConfig.from_mapping(values, origin=f"Kit settings below {ROOT}")
    if autostart():
        return config
    try:
        return RecordingConfig.from_mapping({**_remembered(), **values})
    except ConfigError:
        return config  # written by another version


def remember(config: RecordingConfig) -> None:
    """Keep the panel's values for the next start."""
    settings = carb.settings.get_settings()
    for name, value in config.model_dump(mode="json", include=set(_REMEMBERED)).items():
        path = f"{MEMORY}/{name}"
        settings.destroy_item(path)
        if value is None:
            continue
        if isinstance(value, list) and value:
            settings.set_string_array(path, value)
        elif isinstance(value, list):
            settings.set_string(path, "")  # Kit has no empty list
        else:
            settings.set(path, value)


def _remembered() -> dict[str, Any]:
    return {name: value for name, value in _values(MEMORY).items() if name in _REMEMBERED}


def _values(path: str) -> dict[str, Any]:
    found = carb.settings.get_settings().get(path)
    if not isinstance(found, Mapping):
        return {}
    lists = {name for name, field in RecordingConfig.model_fields.items() if "tuple" in str(field.annotation)}
    # Kit reads an empty list on a command line as an empty table, and cannot keep one.
    return {name: [] if name in lists and value in ({}, "") else value for name, value in found.items()}
