"""Isaac Lab's launcher flags on our commands (``--device``, ``--viz``, ``--xr``, ``--kit_args``, …)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from isaac_lerobot.errors import ConfigError, IsaacLeRobotError

ISAAC_LAB_MISSING = f"""\
Isaac Lab is not installed for {sys.executable}.
Where Isaac Lab 3.0 is installed already, use the Python that it runs in; in a clone of isaac-lerobot:
    /path/to/IsaacLab/isaaclab.sh -p -m pip install .
    /path/to/IsaacLab/isaaclab.sh -p -m isaac_lerobot …
Where it is not: https://isaac-sim.github.io/IsaacLab/main/source/setup/installation/index.html"""


def add_launcher_flags(parser: argparse.ArgumentParser) -> None:
    """Add what Isaac Lab's ``add_launcher_args`` adds; ``--device`` alone where that cannot be had."""
    try:
        from isaaclab.app import add_launcher_args

        add_launcher_args(parser)
    except (ImportError, SystemExit) as error:
        # They come with Kit, which a task on another simulator can do without; importing it ends the process where
        # it cannot be used (its licence is not accepted, say).
        print(f"Isaac Lab's launcher flags but --device are not available: {error}", file=sys.stderr)
        parser.add_argument("--device", action=_Explicit, metavar="NAME", help="Where the simulation runs.")
        return
    # The command line's own --verbose stands before the command and must not be reset here.
    parser.set_defaults(verbose=argparse.SUPPRESS)


class _Explicit(argparse.Action):
    """Stores the value, and that it was given: as Isaac Lab's own ``--device`` does."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, f"{self.dest}_explicit", True)


def require_isaac_lab() -> None:
    """Make sure that Isaac Lab can be imported.

    Raises:
        ConfigError: It cannot; the message says what to type.
    """
    try:
        import isaaclab.app  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "isaaclab":
            raise
        raise ConfigError(ISAAC_LAB_MISSING) from None


def asked_device(args: argparse.Namespace) -> str | None:
    """Return the simulation's device if one was asked for, else None: then the task decides."""
    return args.device if getattr(args, "device_explicit", False) else None


def launch_with(args: argparse.Namespace) -> Callable[[Any], AbstractContextManager[Any]]:
    """Return a function that takes an environment's configuration to a context in which it can be built."""

    def launch(env_cfg: Any) -> AbstractContextManager[Any]:
        from isaaclab.app import launch_simulation

        launched: AbstractContextManager[Any] = launch_simulation(env_cfg, args)
        return launched

    return launch


def run_launched(env_cfg: Any, args: argparse.Namespace, body: Callable[[], int]) -> int:
    """Call ``body`` while the simulation that a configuration needs is running; return its exit code.

    Closing Kit may end the process. Errors are therefore printed, and the exit code is handed on, before that.
    """
    try:
        with launch_with(args)(env_cfg):
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
