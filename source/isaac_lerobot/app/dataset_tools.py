"""``isaac-lerobot check``, ``recover``, ``compact`` and ``sheet``: finished datasets, without a simulator."""

from __future__ import annotations

import argparse
from pathlib import Path

from isaac_lerobot.errors import DatasetError


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``check``."""
    _add_root(parser)
    parser.add_argument("--deep", action="store_true", help="Decode every picture as well.")
    parser.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Print what was found; exit code 1 if a finding is an error."""
    from isaac_lerobot.dataset import check_dataset

    if not args.root.is_dir():
        raise DatasetError(f"There is no folder {args.root}.")
    report = check_dataset(args.root, deep=args.deep)
    print(report.text())
    return 0 if report.ok else 1


def add_recover_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``recover``."""
    _add_root(parser)
    parser.add_argument("--dry_run", action="store_true", help="Say what would be done and do nothing.")
    parser.set_defaults(run=run_recover)


def run_recover(args: argparse.Namespace) -> int:
    """Recover, and print what was done."""
    from isaac_lerobot.dataset import recover_dataset

    actions = recover_dataset(args.root, dry_run=args.dry_run)
    verb = "Would" if args.dry_run else "Did"
    print("\n".join(f"{verb}: {action}" for action in actions) if actions else "Nothing to recover.")
    return 0


def add_compact_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``compact``."""
    _add_root(parser)
    parser.set_defaults(run=run_compact)


def run_compact(args: argparse.Namespace) -> int:
    """Join files, and print what was done."""
    from isaac_lerobot.dataset import compact_dataset

    print("\n".join(compact_dataset(args.root)) or "Nothing to join.")
    return 0


def add_sheet_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``sheet``."""
    _add_root(parser)
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="File to write, e.g. episodes.png.")
    parser.add_argument("--episodes", type=int, default=12, metavar="N", help="Episodes to show at the most.")
    parser.set_defaults(run=run_sheet)


def run_sheet(args: argparse.Namespace) -> int:
    """Draw the sheet and print where it is."""
    from isaac_lerobot.tools.contact_sheet import draw_contact_sheet

    print(draw_contact_sheet(args.root, args.picture, max_episodes=args.episodes))
    return 0


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
