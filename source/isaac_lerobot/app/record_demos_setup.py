"""What ``record-demos`` settles before either format records: the device, the task's configuration, the output."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isaac_lerobot.errors import ConfigError, DeviceError, nearest

_NEVER_S = 1.0e6
"""When the next command is drawn [s]: far behind the end of any demonstration, and finite as Isaac Lab wants it."""


def choose_device(env_cfg: Any, task: str, asked: str | None, *, has_window: bool) -> str:
    """Return the device to use: the one asked for, else IsaacTeleop where the task has it, else the keyboard.

    Args:
        env_cfg: The task's configuration.
        task: Its id.
        asked: Name of a device, or None.
        has_window: Whether a window will be there once the simulation is launched.

    Raises:
        DeviceError: There is no such device, or it cannot be used here; says what can.
    """
    from isaac_lerobot.sim.drive.devices import available_devices
    from isaac_lerobot.sim.drive.devices.window import missing_window

    name = asked or ("isaac_teleop" if getattr(env_cfg, "isaac_teleop", None) is not None else "keyboard")
    offers = {offer.name: offer for offer in available_devices(env_cfg, task)}
    if name not in offers:
        raise DeviceError(f"There is no teleop device '{name}' for {task}. {nearest(name, offers)}")
    offer = offers[name]
    waits_for_window = bool(offer.reason) and offer.reason == missing_window()
    if offer.available or (waits_for_window and has_window):
        return name
    usable = ", ".join(known.name for known in offers.values() if known.available)
    hint = " Start with --viz kit to get a window." if waits_for_window else ""
    raise DeviceError(f"The teleop device '{name}' {offer.reason}.{hint} What can be used here: {usable}.")


def prepare(env_cfg: Any, *, xr: bool) -> None:
    """Change a task's configuration as demonstrations need it.

    Episodes end by success, by the task's other terminations or by hand, not by the clock. Commands stay what they
    are for a whole demonstration. Observation terms are kept apart. In XR, cameras are left out and DLSS is on.
    """
    if hasattr(env_cfg.terminations, "time_out"):
        env_cfg.terminations.time_out = None
    for command in vars(env_cfg.commands).values() if getattr(env_cfg, "commands", None) is not None else ():
        if hasattr(command, "resampling_time_range"):
            command.resampling_time_range = (_NEVER_S, _NEVER_S)
    policy = getattr(env_cfg.observations, "policy", None)
    if policy is not None:
        policy.concatenate_terms = False
    if xr:
        from isaaclab_teleop import remove_camera_configs

        remove_camera_configs(env_cfg)
        with contextlib.suppress(AttributeError):
            env_cfg.sim.render.antialiasing_mode = "DLSS"


def waits_for_start(device: str, args: argparse.Namespace) -> bool:
    """Whether recording begins only when the operator says so: one puts on a headset first."""
    return bool(getattr(args, "xr", False)) or device in ("isaac_teleop", "handtracking")


def output_file(path: Path, suffix: str) -> Path:
    """Return the dataset's path with the format's suffix: ``.hdf5`` becomes ``.lerobot`` and the other way round."""
    path = path.expanduser()
    is_named_by_format = path.suffix in (".hdf5", ".h5", ".lerobot")
    return path.with_suffix(suffix) if is_named_by_format else path.with_name(path.name + suffix)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Keep what was recorded before.

    Raises:
        ConfigError: The file is there and may not be overwritten.
    """
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists already. Choose another --dataset_file, or give --overwrite to replace it.")


def asks_for_window(args: argparse.Namespace) -> bool:
    """Whether the launcher flags ask for a window, or a stream that stands for one."""
    visualizers: Sequence[str] = getattr(args, "visualizer", None) or ()
    return "kit" in visualizers or getattr(args, "livestream", -1) > 0


def without_cameras(args: argparse.Namespace) -> bool:
    """Whether the scene's cameras are left out, as Isaac Lab does in XR."""
    return bool(getattr(args, "xr", False)) and not getattr(args, "enable_cameras", False)
