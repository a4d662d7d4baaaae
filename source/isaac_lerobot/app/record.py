"""``isaac-lerobot record``: record a task without the panel."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from isaac_lerobot.app.extension_folder import presets_folder
from isaac_lerobot.app.launcher import (
    add_launcher_flags,
    check_runtime,
    launch_with,
    launcher_arguments,
    require_isaac_lab,
)
from isaac_lerobot.app.options import add_recording_options, recording_config
from isaac_lerobot.errors import ConfigError, DeviceError, nearest
from isaac_lerobot.recording import ExportRule, RecordingConfig, Session, Status, SuccessMode
from isaac_lerobot.recording.automatic import AutomaticRecording, Keys
from isaac_lerobot.recording.offer import find_success_term

if TYPE_CHECKING:
    from isaac_lerobot.sim.drive.driver import Driver

Launch = Callable[[Any], Any]
"""Takes an environment's configuration to a context in which it can be built."""


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for everything a recording can be told, and Isaac Lab's launcher flags."""
    add_recording_options(parser, without={"device"})
    add_launcher_flags(parser)
    parser.set_defaults(run=run_record)


def run_record(args: argparse.Namespace) -> int:
    """Record until the target is reached; see :func:`.loop.run` for the exit code."""
    config = recording_config(args, presets_folder())
    return record(config, args)


def record(
    config: RecordingConfig,
    args: argparse.Namespace,
    keys: Keys | None = None,
    make_driver: Callable[[Session, Launch], Driver] | None = None,
    completed: Callable[[Status], None] = lambda status: None,
) -> int:
    """Record until the target is reached; see :func:`.loop.run` for the exit code.

    Everything that can be told before the environment is built is told before.

    Args:
        config: What to record.
        args: Isaac Lab's launcher flags.
        keys: Chooses what is recorded if the configuration names nothing. None: it has to.
        make_driver: Makes the session's driver. None: the usual one.
        completed: Called once the dataset is complete.

    Raises:
        ConfigError: An option is missing.
        TaskError: There is no such task, or it lacks what was asked of it.
        DeviceError: The teleop device cannot be used here.
    """
    _require_options(config)
    require_isaac_lab()
    from isaac_lerobot.app import loop
    from isaac_lerobot.sim.drive.driver import Driver
    from isaac_lerobot.sim.env.preview import check_choice, term_labels
    from isaac_lerobot.sim.env.tasks import load_env_cfg

    with contextlib.redirect_stdout(io.StringIO()):  # Isaac Lab says what it parses; it will be parsed once more
        env_cfg = load_env_cfg(config)
    config = config.changed(_chosen_by_task(config, env_cfg))
    if keys is None and not config.state_keys and not config.observation_keys:
        raise ConfigError(
            "Give --state_keys or --observation_keys: what to record besides actions and pictures. "
            f"{config.task} has: {', '.join(term_labels(env_cfg)) or 'nothing'}."
        )
    if keys is None or config.state_keys or config.observation_keys:
        check_choice(config, env_cfg)
    config = config.changed({"teleop_device": choose_device(env_cfg, config, args)})
    check_runtime(env_cfg, config.task, launcher_arguments(args, config, env_cfg))
    _warn_of_endless(config, env_cfg)

    session = Session(config)
    driver = (make_driver or Driver)(session, _launch(config, args))
    recording = AutomaticRecording(session, keys=keys, starts_paused=_waits_for_start(config, args))
    return loop.run(session, driver, recording, completed)


def _chosen_by_task(config: RecordingConfig, env_cfg: Any) -> dict[str, Any]:
    """Return what a task's recorder configuration says of a recording, where nobody else has said it."""
    said = {
        "state_keys": "state_observation_keys",
        "observation_keys": "observation_keys_to_record",
        "task_description": "task_description",
    }
    recorders = getattr(env_cfg, "recorders", None)
    found = {field: getattr(recorders, name, None) for field, name in said.items()}
    if config.state_keys or config.observation_keys:
        found |= {"state_keys": None, "observation_keys": None}
    return {field: value for field, value in found.items() if value and not getattr(config, field)}


def choose_device(env_cfg: Any, config: RecordingConfig, args: argparse.Namespace) -> str:
    """Return the device to use: the one asked for, else the first that can be used (``auto``).

    Args:
        env_cfg: The task's configuration.
        config: The recording.
        args: Isaac Lab's launcher flags: they say what will be there once the simulation is launched.

    Raises:
        DeviceError: There is no such device, or it cannot be used here; says what can.
    """
    from isaac_lerobot.sim.drive.devices import available_devices
    from isaac_lerobot.sim.drive.devices.window import missing_window

    name = config.teleop_device
    known = available_devices(env_cfg, config.task, window_comes=_asks_for_window(args), xr_comes=_asks_for_xr(args))
    offers = {offer.name: offer for offer in known}
    if name not in offers:
        raise DeviceError(f"There is no teleop device '{name}' for {config.task}. {nearest(name, offers)}")
    offer = offers[name]
    if offer.available:
        return offer.stands_for or name
    usable = ", ".join(offer.name for offer in known if offer.available)
    hint = " Start with --viz kit to get a window." if missing_window() and missing_window() in offer.reason else ""
    raise DeviceError(f"The teleop device '{name}' {offer.reason}.{hint} What can be used here: {usable}.")


def _require_options(config: RecordingConfig) -> None:
    if not config.task:
        raise ConfigError("Give --task ID. `isaac-lerobot tasks` lists the tasks.")
    if config.dataset is None and config.export is not ExportRule.NONE:
        raise ConfigError("Give --dataset_file ROOT: the folder to record into. To practise: --export none.")
    if config.export is ExportRule.NONE and (config.num_demos or config.until):
        raise ConfigError("With --export none no demo would ever count. Leave --num_demos and --until out to practise.")


def _warn_of_endless(config: RecordingConfig, env_cfg: Any) -> None:
    from isaac_lerobot.sim.env.preview import termination_terms

    if config.teleop_device not in ("zero", "random") or not (config.num_demos or config.until):
        return
    success_term = find_success_term(config.task, termination_terms(env_cfg), config.success_term)
    remedies = []
    if config.success is SuccessMode.TERM and success_term is not None:
        remedies.append("--success manual")
    if config.export is ExportRule.SUCCEEDED:
        remedies.append("--export all")
    if remedies:
        print(
            f"Warning: only successes count as demos here, and '{config.teleop_device}' hardly ever has one. With "
            f"{' '.join(remedies)} every episode counts.",
            file=sys.stderr,
        )


def _launch(config: RecordingConfig, args: argparse.Namespace) -> Launch:
    """Return a function that launches an environment's configuration, without cameras where a headset needs the GPU."""
    launch = launch_with(args, config)

    def launch_it(env_cfg: Any) -> Any:
        if _asks_for_xr(args) and not config.cameras:
            from isaaclab_teleop import remove_camera_configs

            remove_camera_configs(env_cfg)
            with contextlib.suppress(AttributeError):
                env_cfg.sim.render.antialiasing_mode = "DLSS"
        return launch(env_cfg)

    return launch_it


def _waits_for_start(config: RecordingConfig, args: argparse.Namespace) -> bool:
    """Whether recording begins only when the operator says so: one puts on a headset first."""
    return _asks_for_xr(args) or config.teleop_device in ("isaac_teleop", "handtracking")


def _asks_for_xr(args: argparse.Namespace) -> bool:
    return bool(getattr(args, "xr", False))


def _asks_for_window(args: argparse.Namespace) -> bool:
    """Whether the launcher flags ask for a window, or a stream that stands for one."""
    visualizers: Sequence[str] = getattr(args, "visualizer", None) or ()
    return "kit" in visualizers or getattr(args, "livestream", -1) > 0
