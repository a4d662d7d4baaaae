"""Command-line options made from :class:`~isaac_lerobot.recording.RecordingConfig`: one definition, one help text."""

from __future__ import annotations

import argparse
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import RecordingConfig, read_preset

_FLAGS = {"dataset": ("--dataset_file", "--dataset")}
"""Flags that are not just the field's name: ``--dataset_file`` is what Isaac Lab's ``record_demos.py`` calls it."""


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of the configuration, and ``--preset``."""
    parser.add_argument("--preset", metavar="NAME_OR_FILE", help="TOML file, or a name from config/, to start from.")
    group = parser.add_argument_group("recording")
    for name, field in RecordingConfig.model_fields.items():
        flags = _FLAGS.get(name, (f"--{name}",))
        kinds = _kinds(field.annotation)
        default = field.get_default()
        help_text = (field.description or "").replace("%", "%%")
        options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": help_text}
        if bool in kinds:
            group.add_argument(*flags, action=argparse.BooleanOptionalAction, **options)
            continue
        if tuple in kinds:
            options |= {"nargs": "*", "metavar": "NAME"}
        elif enum := next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), None):
            options |= {"choices": [member.value for member in enum]}
        else:
            options |= {"type": next((kind for kind in (float, int, Path) if kind in kinds), str), "metavar": "VALUE"}
        if default not in (None, "", ()):
            options["help"] += f" Default: {getattr(default, 'value', default)}."
        group.add_argument(*flags, **options)


def recording_config(args: argparse.Namespace, presets: Path | None = None) -> RecordingConfig:
    """Return the configuration that the options ask for, on top of the preset if one is named.

    Args:
        args: Parsed options.
        presets: Folder in which ``--preset NAME`` is looked for as ``NAME.toml``.

    Raises:
        ConfigError: An option or the preset holds something that cannot be used.
    """
    given = {name: value for name, value in vars(args).items() if name in RecordingConfig.model_fields}
    preset = read_preset(find_preset(args.preset, presets)) if getattr(args, "preset", None) else {}
    return RecordingConfig.from_mapping({**preset, **given}, origin="command line")


def find_preset(name: str, presets: Path | None) -> Path:
    """Return the file that ``name`` means: a path, or the name of a preset in the folder ``presets``.

    Raises:
        ConfigError: There is no such file; the presets there are get named.
    """
    path = Path(name).expanduser()
    if path.suffix == ".toml" or path.exists():
        return path
    known = sorted(file.stem for file in presets.glob("*.toml")) if presets else []
    if presets is not None and name in known:
        return presets / f"{name}.toml"
    raise ConfigError(f"There is no preset '{name}'. Give a .toml file, or one of: {', '.join(known) or 'none'}.")


def _kinds(annotation: Any) -> set[Any]:
    """Return the plain types in an annotation: ``Annotated[tuple[str, ...] | None, …]`` gives tuple and NoneType."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_kinds(part) for part in typing.get_args(annotation)))
    return {origin or annotation}
