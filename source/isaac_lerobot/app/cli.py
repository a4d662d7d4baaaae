"""``isaac-lerobot``: the command line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import isaac_lerobot
from isaac_lerobot.app.exit_codes import INTERRUPTED
from isaac_lerobot.errors import IsaacLeRobotError

_COMMANDS = {
    "panel": ("Open Isaac Lab's app with the recorder's panel in it.", "panel:add_panel_options"),
    "record": ("Record episodes of a task without the panel.", "record:add_record_options"),
    "record-demos": (
        "Record as Isaac Lab's record_demos.py does, with its flags.",
        "record_demos:add_record_demos_options",
    ),
    "tasks": ("List the tasks that can be recorded.", "tasks:add_tasks_options"),
    "replay": ("Play a dataset's episodes back in the simulator.", "replay:add_replay_options"),
    "convert": ("Turn Isaac Lab's HDF5 files into a dataset, or back.", "convert:add_convert_options"),
    "check": ("Look for everything that can be wrong with a dataset.", "dataset_tools:add_check_options"),
    "recover": ("Remove what an interrupted recording left behind.", "dataset_tools:add_recover_options"),
    "salvage": (
        "Copy every whole episode of a damaged dataset into a new one.",
        "dataset_tools:add_salvage_options",
    ),
    "merge": ("Copy the episodes of several datasets into a new one.", "dataset_tools:add_merge_options"),
    "compact": ("Join the files of single episodes into larger ones.", "dataset_tools:add_compact_options"),
    "sheet": ("Draw a contact sheet of the episodes.", "dataset_tools:add_sheet_options"),
    "extension-folder": (
        "Print the folder to give to Kit's --ext-folder so that it finds the extension.",
        "extension_folder:add_extension_folder_options",
    ),
}
"""What each command does, and the function of this folder that adds its options and what it runs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        Its exit code: 0 done, 1 not done (the reason is on stderr), 2 wrong usage, 130 interrupted.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(argv)
        logging.basicConfig(level=logging.DEBUG if args.verbose else logging.WARNING, format="%(name)s: %(message)s")
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # `isaac-lerobot check ROOT | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except IsaacLeRobotError as error:
        print(f"isaac-lerobot: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # a second one where the first is ending the work in order
        print("isaac-lerobot: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return code


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser(argv)
    args: argparse.Namespace
    args, rest = parser.parse_known_args(argv)
    if rest and "overrides" in args:
        from isaac_lerobot.recording.config import is_override

        args.overrides = [*args.overrides, *(word for word in rest if is_override(word))]
        rest = [word for word in rest if not is_override(word)]
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return args


class CommandParser(argparse.ArgumentParser):
    """A parser that does not mind how the words of an option are joined: ``--dry_run`` or ``--dry-run``."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See :meth:`argparse.ArgumentParser.parse_known_args`."""
        spelling = {flag.replace("-", "_"): flag for flag in self._option_string_actions}
        words: list[str] = []
        for word in sys.argv[1:] if args is None else args:
            if words and words[-1] == "--kit_args" and word.startswith("-"):
                words[-1] += f"={word}"  # argparse would take the value for an option
                continue
            flag, equals, value = word.partition("=")
            words.append(spelling.get(flag.replace("-", "_"), flag) + equals + value)
        return super().parse_known_args(words, namespace)


def _parser(argv: Sequence[str]) -> CommandParser:
    """Make the parser. Only the command that was asked for is imported: a dataset is checked without a simulator."""
    parser = CommandParser(prog="isaac-lerobot", description=isaac_lerobot.__doc__)
    parser.add_argument("--version", action="version", version=isaac_lerobot.__version__)
    parser.add_argument("--verbose", action="store_true", help="Log what happens inside.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = next((argument for argument in argv if not argument.startswith("-")), None)
    for name, (purpose, place) in _COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name == asked:
            module, _, function = place.partition(":")
            getattr(importlib.import_module(f"isaac_lerobot.app.{module}"), function)(command)
    return parser
