"""``isaac-lerobot record-demos``: Isaac Lab's ``record_demos.py`` with the same flags, into HDF5 or LeRobot."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from isaac_lerobot.app.launcher import add_launcher_flags, asked_device, launch_with, require_isaac_lab
from isaac_lerobot.errors import ConfigError, DeviceError, nearest

DEFAULT_FILE = Path("./datasets/dataset.hdf5")
_NEVER_S = 1.0e6
"""When the next command is drawn [s]: far behind the end of any demonstration, and finite as Isaac Lab wants it."""


def add_record_demos_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of Isaac Lab's ``record_demos.py`` with their defaults, and a few of our own."""
    parser.add_argument("--task", required=True, metavar="ID", help="Name of the task.")
    parser.add_argument(
        "--teleop_device",
        metavar="NAME",
        help="keyboard, spacemouse, gamepad, handtracking, a device that the task names, or scripted. Unset: "
        "IsaacTeleop where the task is set up for it, else keyboard.",
    )
    parser.add_argument(
        "--dataset_file", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"Default: {DEFAULT_FILE}."
    )
    parser.add_argument(
        "--lerobot_format", action="store_true", help="Write a LeRobot dataset; .hdf5 becomes .lerobot."
    )
    parser.add_argument("--step_hz", type=int, default=30, metavar="HZ", help="Steps per second. Default: 30.")
    parser.add_argument("--num_demos", type=int, default=0, metavar="N", help="Demos to record. 0: until stopped.")
    parser.add_argument(
        "--num_success_steps", type=int, default=10, metavar="N", help="Steps for which success must hold. Default: 10."
    )
    parser.add_argument(
        "--reset_sim_buffer_each_episode",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Reset the simulation, and not only the scene, before each episode. Default: yes.",
    )
    own = parser.add_argument_group("besides record_demos.py")
    own.add_argument("--task_packages", nargs="*", default=[], metavar="NAME", help="Modules that register tasks.")
    own.add_argument("--overwrite", action="store_true", help="Replace what is there. A LeRobot dataset is continued.")
    own.add_argument("--seed", type=int, metavar="N", help="Seed of the environment.")
    lerobot = parser.add_argument_group("with --lerobot_format")
    lerobot.add_argument("--state_keys", nargs="*", default=[], metavar="KEY", help="Terms of observation.state.")
    lerobot.add_argument("--observation_keys", nargs="*", default=[], metavar="KEY", help="Further terms to record.")
    lerobot.add_argument("--cameras", nargs="*", metavar="NAME", help="Cameras to record. Unset: all.")
    lerobot.add_argument("--task_description", default="", metavar="TEXT", help="What the robot does, in words.")
    add_launcher_flags(parser)
    parser.set_defaults(run=run_record_demos)


def run_record_demos(args: argparse.Namespace) -> int:
    """Record; return the exit code: 0 done, 1 could not be done, 130 after Ctrl+C."""
    from isaac_lerobot.tools.dependencies import check_installed

    if args.lerobot_format:
        check_installed(["numpy", "pyarrow", "imageio_ffmpeg"], "Recording in LeRobot format")
    else:
        check_installed(["h5py"], "Recording to HDF5")
    require_isaac_lab()
    from isaac_lerobot.recording import RecordingConfig
    from isaac_lerobot.sim.tasks import load_env_cfg

    config = RecordingConfig(
        task=args.task, task_packages=tuple(args.task_packages), device=asked_device(args), seed=args.seed
    )
    env_cfg = load_env_cfg(config)
    device = choose_device(env_cfg, args.task, args.teleop_device, has_window=_asks_for_window(args))
    if args.lerobot_format:
        from isaac_lerobot.app.record_demos_lerobot import record_to_lerobot

        return record_to_lerobot(args, env_cfg, device)
    from isaac_lerobot.app.record_demos_hdf5 import record_to_hdf5

    return record_to_hdf5(args, env_cfg, device)


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
    from isaac_lerobot.sim.teleop import available_devices
    from isaac_lerobot.sim.teleop.window import missing_window

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


def launch_prepared(args: argparse.Namespace) -> Any:
    """Return a function like ``launch_with``, which prepares the configuration first."""
    launch = launch_with(args)

    def launch_it(env_cfg: Any) -> AbstractContextManager[Any]:
        prepare(env_cfg, xr=without_cameras(args))
        return launch(env_cfg)

    return launch_it


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


def _asks_for_window(args: argparse.Namespace) -> bool:
    visualizers: Sequence[str] = getattr(args, "visualizer", None) or ()
    return "kit" in visualizers or getattr(args, "livestream", -1) > 0


def without_cameras(args: argparse.Namespace) -> bool:
    """Whether the scene's cameras are left out, as Isaac Lab does in XR."""
    return bool(getattr(args, "xr", False)) and not getattr(args, "enable_cameras", False)
