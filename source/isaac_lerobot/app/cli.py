"""``isaac-lerobot``: the command line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import isaac_lerobot
from isaac_lerobot.app.extension_folder import extension_folder, presets_folder
from isaac_lerobot.errors import IsaacLeRobotError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 not done (the reason is on stderr), 2 wrong usage."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.DEBUG if args.verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        code: int = args.run(args)
    except IsaacLeRobotError as error:
        print(f"isaac-lerobot: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="isaac-lerobot", description=isaac_lerobot.__doc__)
    parser.add_argument("--version", action="version", version=isaac_lerobot.__version__)
    parser.add_argument("--verbose", action="store_true", help="Log what happens inside.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_record(commands)
    _add_record_demos(commands)
    _add_tasks(commands)
    _add_dataset_tools(commands)
    _add_convert(commands)
    _add_replay(commands)
    _add_extension_folder(commands)
    return parser


def _add_record(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from isaac_lerobot.app.options import add_recording_options

    parser = commands.add_parser("record", help="Record episodes of a task without the panel.")
    add_recording_options(parser)
    parser.set_defaults(run=_record)


def _record(args: argparse.Namespace) -> int:
    from isaac_lerobot.app.options import recording_config
    from isaac_lerobot.app.script_host import record

    return record(recording_config(args, presets_folder()))


def _add_record_demos(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from isaac_lerobot.app.record_demos import add_record_demos_options

    parser = commands.add_parser("record-demos", help="Record as Isaac Lab's record_demos.py does, with its flags.")
    add_record_demos_options(parser)


def _add_tasks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("tasks", help="List the tasks that can be recorded.")
    parser.add_argument("--task_packages", nargs="*", default=[], metavar="NAME", help="Modules that register tasks.")
    parser.set_defaults(run=_tasks)


def _tasks(args: argparse.Namespace) -> int:
    from isaac_lerobot.sim.tasks import list_tasks

    print("\n".join(list_tasks(args.task_packages)))
    return 0


def _add_dataset_tools(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="Look for everything that can be wrong with a dataset.")
    check.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
    check.add_argument("--deep", action="store_true", help="Decode every picture as well.")
    check.set_defaults(run=_check)
    repair = commands.add_parser("repair", help="Remove what an interrupted recording left behind.")
    repair.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
    repair.add_argument("--dry-run", action="store_true", help="Say what would be done and do nothing.")
    repair.set_defaults(run=_repair)
    compact = commands.add_parser("compact", help="Join the files of single episodes into larger ones.")
    compact.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
    compact.set_defaults(run=_compact)
    sheet = commands.add_parser("sheet", help="Draw a contact sheet of the episodes.")
    sheet.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
    sheet.add_argument("picture", type=Path, metavar="PICTURE", help="File to write, e.g. episodes.png.")
    sheet.add_argument("--episodes", type=int, default=12, metavar="N", help="Episodes to show at the most.")
    sheet.set_defaults(run=_sheet)


def _check(args: argparse.Namespace) -> int:
    from isaac_lerobot.dataset.check import check_dataset

    report = check_dataset(args.root, deep=args.deep)
    print(report.text())
    return 0 if report.ok else 1


def _repair(args: argparse.Namespace) -> int:
    from isaac_lerobot.dataset.repair import repair_dataset

    actions = repair_dataset(args.root, dry_run=args.dry_run)
    verb = "Would" if args.dry_run else "Did"
    print("\n".join(f"{verb}: {action}" for action in actions) if actions else "Nothing to repair.")
    return 0


def _compact(args: argparse.Namespace) -> int:
    from isaac_lerobot.dataset.compact import compact_dataset

    compact_dataset(args.root)
    return 0


def _add_convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from isaac_lerobot.app.convert import add_convert_options

    add_convert_options(commands.add_parser("convert", help="Turn Isaac Lab's HDF5 files into a dataset, or back."))


def _sheet(args: argparse.Namespace) -> int:
    from isaac_lerobot.tools.contact_sheet import draw_contact_sheet

    print(draw_contact_sheet(args.root, args.picture, max_episodes=args.episodes))
    return 0


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from isaac_lerobot.app.replay import add_replay_options

    add_replay_options(commands.add_parser("replay", help="Play a dataset's episodes back in the simulator."))


def _add_extension_folder(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "extension-folder", help="Print the folder to give to Kit's --ext-folder so that it finds the extension."
    )
    parser.set_defaults(run=_extension_folder)


def _extension_folder(args: argparse.Namespace) -> int:
    print(extension_folder().parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
