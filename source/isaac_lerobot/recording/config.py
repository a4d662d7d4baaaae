"""``RecordingConfig``: everything one recording is told, whoever tells it.

The panel, Kit's settings, the command line, a preset file and a script all fill this one model, so a key means
the same everywhere and a mistake is answered with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt
from pydantic import ValidationError as _ValidationError

from isaac_lerobot.errors import ConfigError, nearest


class SuccessMode(StrEnum):
    """Who decides that an episode succeeded."""

    TERM = "term"
    MANUAL = "manual"


class ExportRule(StrEnum):
    """Which ended episodes are kept, and where."""

    ALL = "all"
    SUCCEEDED = "succeeded"
    SEPARATE = "separate"
    NONE = "none"


def is_override(text: str) -> bool:
    """Whether this is a preset or a value for a task, as Isaac Lab has them: ``physics=NAME``, ``env.sim.dt=0.01``."""
    return re.fullmatch(r"(physics|renderer|presets|env(\.\w+)*)=.+", text) is not None


def _an_override(text: str) -> str:
    if not is_override(text):
        raise ValueError("write physics=NAME, renderer=NAME, presets=NAME,NAME or env.path.of.a.field=VALUE")
    return text


def _one_or_many(value: object) -> object:
    """Take a lone string for a list of one: ``--/exts/…/cameras=front`` is what people type."""
    return (value,) if isinstance(value, str) else value


def _blank_is_unset(value: object) -> object:
    """Take an empty text for "not set": an empty field of the panel, an empty Kit setting."""
    return None if value == "" else value


Names = Annotated[tuple[Annotated[str, Field(strict=True, min_length=1)], ...], BeforeValidator(_one_or_many)]
_Overrides = Annotated[
    tuple[Annotated[str, Field(strict=True), AfterValidator(_an_override)], ...], BeforeValidator(_one_or_many)
]
_Text = Annotated[str, Field(strict=True)]


class RecordingConfig(BaseModel):
    """What to record, from which task, with which device, and into which folder.

    Immutable: :meth:`changed` returns a new, validated one. Each field's description is also the help text of the
    command-line option and of the panel's tooltip.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: _Text = Field("", description="Id of the task in gymnasium's registry, e.g. Isaac-LeRobot-Pick-Cube-v0.")
    task_packages: Names = Field((), description="Python modules to import so that they register their tasks.")
    overrides: _Overrides = Field(
        (),
        description="Presets and values of the task, as Isaac Lab's scripts take them: physics=newton_mjwarp, "
        "renderer=NAME, presets=NAME, env.sim.dt=0.01. On a shell they may stand without the option.",
    )
    teleop_device: _Text = Field(
        "auto",
        description="Who drives the robot: keyboard, spacemouse, gamepad, handtracking, a device the task names, "
        "scripted, scripted-fail, zero, random, or auto: the first that can be used of Isaac Teleop, keyboard and the "
        "task's scripted operator.",
    )
    keep_time_out: StrictBool = Field(
        False,
        description="Let the task's time-outs end episodes, and its commands change, while a person drives. While a "
        "script drives they always do.",
    )
    num_envs: StrictInt = Field(1, ge=1, description="Environments stepped at once; each records its own episodes.")
    device: Annotated[_Text | None, BeforeValidator(_blank_is_unset)] = Field(
        None, description="Where the simulation runs: cpu, cuda:0, … Unset: what the task says."
    )
    seed: StrictInt | None = Field(None, ge=0, description="Seed of the environment and of the random device.")

    dataset: Annotated[Path | None, BeforeValidator(_blank_is_unset)] = Field(
        None,
        description="Folder of the LeRobot dataset; an existing one with the same features is continued.",
    )
    overwrite: StrictBool = Field(False, description="Replace an existing dataset instead of continuing it.")
    cameras: Names | None = Field(
        None, description="Scene cameras to record. Unset: all the task has. An empty list: none."
    )
    state_keys: Names = Field(
        (), description="Observation terms (group/term) concatenated, in this order, into observation.state."
    )
    observation_keys: Names = Field(
        (), description="Observation terms (group/term) recorded as observation.<term> each."
    )
    task_description: _Text = Field(
        "", description="What the robot does, in words; the instruction a policy is trained with."
    )
    robot_type: Annotated[_Text | None, BeforeValidator(_blank_is_unset)] = Field(
        None, description="Robot's name in the dataset. Unset: the scene's robot asset, where it can be told."
    )
    codec: _Text = Field("h264", description="Video codec: h264, av1, hevc, h264_nvenc, hevc_nvenc, av1_nvenc or auto.")

    num_demos: StrictInt = Field(
        0,
        ge=0,
        description="Stop after this many demos: successes where the task judges them, else episodes that were kept. "
        "0: record until told to stop.",
    )
    until: StrictInt = Field(
        0,
        ge=0,
        description="Stop once the dataset holds this many demos, those of earlier recordings included. 0: never.",
    )
    success: SuccessMode = Field(
        SuccessMode.TERM, description="Who judges success: the task's success term, or the operator (manual)."
    )
    success_term: Annotated[_Text | None, BeforeValidator(_blank_is_unset)] = Field(
        None,
        description="The task's termination term that means success. Unset: 'success', else one whose name ends so.",
    )
    num_success_steps: StrictInt = Field(10, ge=1, description="Steps in a row for which the success term must hold.")
    export: ExportRule = Field(
        ExportRule.ALL,
        description="Episodes to keep: all, succeeded, separate (failed ones in <dataset>_failed), or none.",
    )
    continuous: StrictBool = Field(True, description="Start the next episode by itself after one has ended.")
    step_hz: StrictFloat | StrictInt | None = Field(
        None,
        ge=0,
        description="Wall-clock steps per second; never changes the data. Unset: the dataset's fps. 0: as fast as "
        "possible.",
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], origin: str = "recording configuration") -> RecordingConfig:
        """Build a configuration from plain values.

        Args:
            values: Values by field name, as a TOML file, Kit's settings or the command line give them.
            origin: Where they come from, for the error message.

        Raises:
            ConfigError: Naming every unknown key and every wrong value, with what would be right.
        """
        try:
            return cls.model_validate(dict(values))
        except _ValidationError as error:
            raise ConfigError(_explain(error, origin)) from None

    def changed(self, changes: Mapping[str, Any], origin: str = "change of the recording") -> RecordingConfig:
        """Return a configuration with ``changes`` applied; raises :class:`ConfigError` as :meth:`from_mapping`."""
        return self.from_mapping({**{name: getattr(self, name) for name in self.model_fields_set}, **changes}, origin)


_FIXED_BY_THE_DATASET = frozenset(
    {"dataset", "overwrite", "cameras", "state_keys", "observation_keys", "robot_type", "codec", "export"}
)
"""Fields that an open dataset has settled."""

_READ_AT_START = frozenset({"teleop_device", "keep_time_out", "num_success_steps", "step_hz"})
"""Fields that a running recording has settled."""


def check_change(old: RecordingConfig, new: RecordingConfig, *, running: bool, dataset_open: bool) -> None:
    """Make sure that the configuration can be changed now.

    Args:
        old: As it is.
        new: As it is to become.
        running: Whether a recording is running.
        dataset_open: Whether the dataset is open.

    Raises:
        ConfigError: A field is settled already; says which, and what to do.
    """

    def changed(names: frozenset[str]) -> list[str]:
        return sorted(name for name in names if getattr(new, name) != getattr(old, name))

    if running and (late := changed(_READ_AT_START)):
        raise ConfigError(f"{', '.join(late)}: read when a recording starts. Finish this one first.")
    if dataset_open and (settled := changed(_FIXED_BY_THE_DATASET)):
        raise ConfigError(f"{', '.join(settled)}: settled by the open dataset. Finish it first.")


def _explain(error: _ValidationError, origin: str) -> str:
    fields = RecordingConfig.model_fields
    lines = []
    for item in error.errors():
        key = str(item["loc"][0]) if item["loc"] else "?"
        if item["type"] == "extra_forbidden":
            hint = nearest(key, fields)
            valid = "" if hint.startswith("There are") else " Valid keys: " + ", ".join(sorted(fields)) + "."
            lines.append(f"unknown key '{key}'. {hint}{valid}")
        else:
            given = item.get("input")
            lines.append(f"'{key}' is {given!r}: {_reason(item)}. {fields[key].description}")
    unique = list(dict.fromkeys(lines))
    return f"Error in the {origin}: " + ("; ".join(unique) if len(unique) == 1 else "\n  - " + "\n  - ".join(unique))


def _reason(item: Mapping[str, Any]) -> str:
    text = str(item["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
