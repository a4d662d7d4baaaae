"""Isaac Lab's launcher, and its flags on our commands: ``--device``, ``--viz``, ``--xr``, ``--kit_args``, …"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from isaac_lerobot.errors import ConfigError, IsaacLeRobotError, TaskError

if TYPE_CHECKING:
    from isaac_lerobot.recording import RecordingConfig

INSTALLATION = "https://isaac-sim.github.io/IsaacLab/main/source/setup/installation/index.html"

ISAAC_LAB_MISSING = f"""\
Isaac Lab is not installed for {sys.executable}.
Where Isaac Lab 3.0 is installed already, use the Python that it runs in; in a clone of isaac-lerobot:
    /path/to/IsaacLab/isaaclab.sh -p -m pip install .
    /path/to/IsaacLab/isaaclab.sh -p -m isaac_lerobot …
Where it is not: {INSTALLATION}"""


def add_launcher_flags(parser: argparse.ArgumentParser) -> None:
    """Add what Isaac Lab's ``add_launcher_args`` adds; ``--device`` alone where that cannot be had."""
    try:
        from isaaclab.app import add_launcher_args

        add_launcher_args(parser)
    except (ImportError, SystemExit) as error:
        # They come with Kit, which a task on another simulator can do without; importing it ends the process where
        # it cannot be used (its licence is not accepted, say).
        print(f"Isaac Lab's launcher flags but --device are not available: {error}", file=sys.stderr)
        parser.add_argument("--device", metavar="NAME", help="Where the simulation runs: cpu, cuda:0, …")
    # The command line's own --verbose stands before the command and must not be reset here; a device that nobody asked
    # for must not win over a preset's or the task's.
    for action in parser._actions:
        if action.dest in ("verbose", "device"):
            action.default = argparse.SUPPRESS


def require_isaac_lab() -> None:
    """Make sure that Isaac Lab can be imported.

    Raises:
        ConfigError: It cannot; the message says what to do.
    """
    try:
        import isaaclab.app  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "isaaclab":
            raise
        raise ConfigError(ISAAC_LAB_MISSING) from None


def launcher_arguments(args: argparse.Namespace, config: RecordingConfig, env_cfg: Any) -> dict[str, Any]:
    """Return the values of the launcher flags by their names, with the device that the configuration asks for.

    Isaac Lab's launcher writes its own device, cuda:0 unless it is told another, into the environment's configuration.
    """
    return {**vars(args), "device": env_cfg.sim.device, "device_explicit": config.device is not None}


def launch_with(args: argparse.Namespace, config: RecordingConfig) -> Callable[[Any], AbstractContextManager[Any]]:
    """Return a function that takes an environment's configuration to a context in which it can be built."""
    return lambda env_cfg: launched(env_cfg, launcher_arguments(args, config, env_cfg))


@contextlib.contextmanager
def launched(env_cfg: Any, arguments: dict[str, Any]) -> Iterator[None]:
    """Start what a configuration needs, or Kit where there is none, and end it again.

    Args:
        env_cfg: The environment's configuration, or None.
        arguments: Values of the launcher flags by their names.
    """
    from isaaclab.app import launch_simulation

    # Kit takes every word of the process's command line for one of its own. What is for it comes in kit_args.
    sys.argv[1:] = [f"--{name}" for name in ("verbose", "info") if arguments.get(name)]
    with launch_simulation(env_cfg, arguments):
        yield


def check_runtime(env_cfg: Any, task: str, arguments: Mapping[str, Any]) -> None:
    """Make sure that what an environment runs in is installed.

    Raises:
        TaskError: It needs Isaac Sim, which is not installed in full, or things that do not go together; says why.
    """
    from isaaclab.app.sim_launcher import validate_launch

    try:
        _, needing_kit = validate_launch(env_cfg, dict(arguments))
    except ValueError as error:
        raise TaskError(f"{task}: {error}") from None
    if needing_kit and not _kit_is_there():
        raise TaskError(
            f"{task} needs Isaac Sim ({', '.join(needing_kit)}), which is not installed in full in this Python "
            f"({sys.executable}). Install it as {INSTALLATION} says.{_choices(task)}"
        )


def _kit_is_there() -> bool:
    from isaaclab.utils.version import has_kit

    try:
        from isaaclab_physx.app import KitLauncher
    except (ImportError, SystemExit):
        return bool(has_kit())
    return bool(has_kit() or KitLauncher.is_available())


def _choices(task: str) -> str:
    """Return a sentence on what the task could run in instead, empty where it leaves no choice."""
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets

    presets = [
        f"{target.value}={name}"
        for target, names in (enumerate_task_presets(task) or {}).items()
        for name in names
        if target.base_classes
    ]
    return f" Or choose another of what the task offers: {', '.join(presets)}." if presets else ""


def require_isaac_sim(what: str) -> None:
    """Make sure that Isaac Lab is here, and that it can start Isaac Sim.

    Args:
        what: What needs it, as the beginning of a sentence.

    Raises:
        ConfigError: One of them is not installed; says what to do.
    """
    require_isaac_lab()
    if not _kit_is_there():
        raise ConfigError(
            f"{what} needs Isaac Sim, which is not installed in full in this Python ({sys.executable}). Install it as "
            f"{INSTALLATION} says."
        )


def run_launched(env_cfg: Any, arguments: dict[str, Any], body: Callable[[], int]) -> int:
    """Call ``body`` while what a configuration needs is running; return its exit code.

    Closing Kit may end the process. Errors are therefore printed, and the exit code is handed on, before that.

    Args:
        env_cfg: The environment's configuration, or None for Kit alone.
        arguments: Values of the launcher flags by their names.
        body: What to do.
    """
    try:
        with launched(env_cfg, arguments):
            try:
                code = body()
            except IsaacLeRobotError as error:
                print(f"isaac-lerobot: {error}", file=sys.stderr)
                code = 1
            if code:
                # Isaac Lab keeps the status of an exit, and would print a traceback for any other exception.
                raise SystemExit(code)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0
