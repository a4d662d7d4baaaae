"""Presets: TOML files that hold any of the options of a recording."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording.config import RecordingConfig


def read_preset(path: Path) -> dict[str, Any]:
    """Read a preset: a TOML file whose top-level keys are :class:`RecordingConfig` fields.

    Raises:
        ConfigError: The file is missing, is not TOML, or holds an unknown key or a wrong value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"Preset {path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Preset {path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"Preset {path} is not valid TOML: {error}.") from None
    RecordingConfig.from_mapping(values, origin=f"preset {path}")
    return values


def find_preset(name: str, folder: Path | None) -> Path:
    """Return the file that ``name`` means: a path, or the name of a preset in ``folder``.

    Raises:
        ConfigError: There is no such file; the presets in the folder get named.
    """
    path = Path(name).expanduser()
    if path.suffix == ".toml" or path.is_file():
        return path
    known = sorted(file.stem for file in folder.glob("*.toml")) if folder else []
    if folder is not None and name in known:
        return folder / f"{name}.toml"
    raise ConfigError(f"There is no preset '{name}'. Give a .toml file, or one of: {', '.join(known) or 'none'}.")
