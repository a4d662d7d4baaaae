"""``isaac-lerobot record-demos``: ``record`` with the flags and defaults of Isaac Lab's ``record_demos.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaac_lerobot.app.extension_folder import presets_folder
from isaac_lerobot.app.options import recording_config
from isaac_lerobot.app.record import Launch, add_record_options, record
from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import RecordingConfig, Session, Status, TaskOffer
from isaac_lerobot.recording.opening import root_of_file
from isaac_lerobot.recording.selection import default_keys

if TYPE_CHECKING:
    from isaac_lerobot.sim.drive.driver import Driver

DEFAULTS: dict[str, Any] = {"dataset": Path("./datasets/dataset.hdf5"), "step_hz": 30, "export": "succeeded"}
"""What Isaac Lab's script does where nothing is said, and ``record`` does otherwise."""


def add_record_demos_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``record``, and Isaac Lab's that it does not have."""
    add_record_options(parser)
    parser.add_argument(
        "--reset_sim_buffer_each_episode",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Reset the simulation, and not only the scene, before each episode. Default: yes.",
    )
    parser.add_argument(
        "--lerobot_format",
        action="store_true",
        help="Leave it at the LeRobot dataset. Without: make an HDF5 file of it in the end.",
    )
    parser.set_defaults(run=run_record_demos)


def run_record_demos(args: argparse.Namespace) -> int:
    """Record; see :func:`.loop.run` for the exit code."""
    from isaac_lerobot.tools.dependencies import check_installed

    config = recording_config(args, presets_folder(), DEFAULTS)
    named = config.dataset or DEFAULTS["dataset"]
    root = root_of_file(str(named))
    config = config.changed({"dataset": root})
    if args.reset_sim_buffer_each_episode and config.num_envs > 1:
        raise ConfigError("The simulation is reset for all envs at once. Give --no-reset_sim_buffer_each_episode.")
    make_driver = _demo_driver if args.reset_sim_buffer_each_episode else None
    if args.lerobot_format:
        return record(config, args, chosen_keys, make_driver)
    check_installed(["h5py"], "Recording to HDF5")
    file = root.with_suffix(".hdf5")
    if file.exists() and not config.overwrite:
        raise ConfigError(f"{file} exists already. Choose another --dataset_file, or give --overwrite to replace it.")
    return record(config, args, chosen_keys, make_driver, lambda status: _make_hdf5(status, file))


def chosen_keys(config: RecordingConfig, offer: TaskOffer) -> Mapping[str, Any]:
    """Return changes of the configuration: what is recorded where nobody has named keys."""
    if config.state_keys or config.observation_keys:
        return {}
    keys = default_keys(offer)
    return {"state_keys": keys.state, "observation_keys": keys.observations}


def _demo_driver(session: Session, launch: Launch) -> Driver:
    from isaac_lerobot.sim.drive.demo_driver import DemoDriver

    return DemoDriver(session, launch)


def _make_hdf5(status: Status, file: Path) -> None:
    from isaac_lerobot.dataset import DatasetReader
    from isaac_lerobot.tools.to_hdf5 import convert_back

    if status.dataset is None:
        return
    written = convert_back(
        DatasetReader(status.dataset), file, success_only=True, overwrite=True, on_frames=lambda count: None
    )
    print(f"{written} successful demonstrations in {file}, made of {status.dataset}", file=sys.stderr)
