"""``isaac-lerobot tasks``: which tasks there are."""

from __future__ import annotations

import argparse

from isaac_lerobot.app.launcher import require_isaac_lab


def add_tasks_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--task_packages", nargs="*", default=[], metavar="NAME", help="Modules that register tasks.")
    parser.set_defaults(run=run_tasks)


def run_tasks(args: argparse.Namespace) -> int:
    """Print a task per line."""
    require_isaac_lab()
    from isaac_lerobot.sim.env.tasks import list_tasks

    print("\n".join(list_tasks(args.task_packages)))
    return 0
