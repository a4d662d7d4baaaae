"""Command-line options made from :class:`~isaac_lerobot.recording.RecordingConfig`: one definition, one help text."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from isaac_lerobot.recording import RecordingConfig, find_preset, read_preset
from isaac_lerobot.recording.config import is_override

_FLAGS = {"dataset": ("--dataset_file", "--dataset")}
"""Flags that are not just the field's name: ``--dataset_file`` is what Isaac Lab's ``record_demos.py`` calls it."""

_METAVARS = {"dataset": "ROOT", "task": "ID", "teleop_device": "NAME", "overrides": "KEY=VALUE"}
"""What stands for a value in the help, where it is not ``VALUE`` or ``NAME``."""


def add_recording_options(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add an option for every field of the configuration, and ``--preset``.

    Args:
        parser: Parser of the command.
        without: Fields that the command has flags of its own for.
    """
    parser.add_argument("--preset", metavar="NAME_OR_FILE", help="TOML file, or a name from config/, to start from.")
    group = parser.add_argument_group("recording")
    for name, field in RecordingConfig.model_fields.items():
        if name in without:
            continue
        flags = _FLAGS.get(name, (f"--{name}",))
        kinds = _kinds(field.annotation)
        default = field.get_default()
        help_text = (field.description or "").replace("%", "%%")
        options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": help_text}
        if bool in kinds:
            group.add_argument(*flags, action=argparse.BooleanOptionalAction, **options)
            continue
        if tuple in kinds:
            options |= {"nargs": "*", "metavar": _METAVARS.get(name, "NAME"), "action": _Names}
        elif enum := next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), None):
            options |= {"choices": [member.value for member in enum]}
        else:
            kind = next((kind for kind in (float, int, Path) if kind in kinds), str)
            options |= {"type": kind, "metavar": _METAVARS.get(name, "VALUE")}
        if default not in (None, "", ()):
            options["help"] += f" Default: {getattr(default, 'value', default)}."
        group.add_argument(*flags, **options)
    accept_overrides(parser)


def accept_overrides(parser: argparse.ArgumentParser) -> None:
    """Have words such as ``physics=newton_mjwarp`` among a command's arguments taken for ``overrides``."""
    parser.set_defaults(overrides=())


class _Names(argparse.Action):
    """Stores a list. An override that stands behind it goes where it belongs: no name looks like one."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        belongs = [value for value in values if self.dest == "overrides" or not is_override(value)]
        earlier = namespace.overrides if self.dest == "overrides" else ()
        setattr(namespace, self.dest, [*earlier, *belongs])
        if len(belongs) < len(values):
            namespace.overrides = [*namespace.overrides, *(value for value in values if is_override(value))]


def recording_config(
    args: argparse.Namespace, presets: Path | None = None, defaults: Mapping[str, Any] | None = None
) -> RecordingConfig:
    """Return the configuration that the options ask for, on top of the preset if one is named.

    Args:
        args: Parsed options.
        presets: Folder in which ``--preset NAME`` is looked for as ``NAME.toml``.
        defaults: The command's own, on which the preset stands.

    Raises:
        ConfigError: An option or the preset holds something that cannot be used.
    """
    given = {name: value for name, value in vars(args).items() if name in RecordingConfig.model_fields}
    if not given.get("overrides"):
        given.pop("overrides", None)
    preset = read_preset(find_preset(args.preset, presets)) if getattr(args, "preset", None) else {}
    return RecordingConfig.from_mapping({**(defaults or {}), **preset, **given}, origin="command line")


def options_page() -> str:
    """Return ``docs/options.md``: every option with its type, default and meaning."""
    rows = []
    for name, field in RecordingConfig.model_fields.items():
        default = field.get_default()
        shown = "" if default in (None, "", ()) else f"`{str(getattr(default, 'value', default)).lower()}`"
        rows.append(f"| `{name}` | {_kind_in_words(field.annotation)} | {shown} | {field.description} |")
    return _PAGE_HEAD + "\n".join(rows) + "\n"


_PAGE_HEAD = """\
# Options

One recording has one configuration, whoever fills it in. The same name is

- a widget of the panel (those that an operator needs; the others are set in one of the other ways),
- an option of the shell: `isaac-lerobot record --num_demos 10 --cameras front wrist` (lists are separated by spaces;
  switches are `--overwrite` and `--no-overwrite`; the dataset's folder is `--dataset_file` or `--dataset`),
- a Kit setting: `--/exts/isaac.lerobot.recorder/num_demos=10 --/exts/isaac.lerobot.recorder/cameras=[front,wrist]`,
- a key of a preset (TOML): `isaac-lerobot record --preset demo`, in Kit `--/exts/isaac.lerobot.recorder/preset=demo`;
  what is given besides wins over the preset,
- a field of `isaac_lerobot.recording.RecordingConfig`.

Unknown keys and values of a wrong type are errors that name the key and the valid ones. Kit has three settings more:
`autostart` (load, record and end Kit with an exit code), `attach` (record the environment that a script in this app
makes, instead of building one) and `preset`.

| name | type | default | meaning |
| --- | --- | --- | --- |
"""


def _kind_in_words(annotation: Any) -> str:
    kinds = _kinds(annotation)
    if enum := next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), None):
        return " / ".join(f"`{member.value}`" for member in enum)
    words = {bool: "switch", tuple: "list of names", float: "number", int: "whole number", Path: "folder", str: "text"}
    return next(word for kind, word in words.items() if kind in kinds)


def _kinds(annotation: Any) -> set[Any]:
    """Return the plain types in an annotation: ``Annotated[tuple[str, ...] | None, …]`` gives tuple and NoneType."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_kinds(part) for part in typing.get_args(annotation)))
    return {origin or annotation}


if __name__ == "__main__":
    print(options_page(), end="")
