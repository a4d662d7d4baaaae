"""``isaac-lerobot record-demos``: Isaac Lab's ``record_demos.py`` with the same flags, into HDF5 or LeRobot."""

from __future__ import annotations

import argparse
from pathlib import Path

from isaac_lerobot.app.launcher import add_launcher_flags, asked_device, require_isaac_lab
from isaac_lerobot.app.record_demos_setup import asks_for_window, choose_device

DEFAULT_FILE = Path("./datasets/dataset.hdf5")


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
    from isaac_lerobot.sim.env.tasks import load_env_cfg

    config = RecordingConfig.from_mapping(
        {
            "task": args.task,
            "task_packages": args.task_packages,
            "device": asked_device(args),
            "seed": args.seed,
        },
        origin="command line",
    )
    env_cfg = load_env_cfg(config)
    device = choose_device(env_cfg, args.task, args.teleop_device, has_window=asks_for_window(args))
    if args.lerobot_format:
        from isaac_lerobot.app.record_demos_lerobot import record_to_lerobot

        return record_to_lerobot(args, env_cfg, device)
    from isaac_lerobot.app.record_demos_hdf5 import record_to_hdf5

    return record_to_hdf5(args, env_cfg, device)
