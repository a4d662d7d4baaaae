"""``isaac-lerobot check``, ``recover``, ``salvage``, ``merge``, ``compact`` and ``sheet``: no simulator is needed."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
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


def add_salvage_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``salvage``."""
    _add_root(parser)
    _add_into(parser)
    parser.set_defaults(run=run_salvage)


def run_salvage(args: argparse.Namespace) -> int:
    """Copy the whole episodes, and print which are lost and why."""
    from isaac_lerobot.dataset import salvage_dataset

    with _progress() as progress:
        found = salvage_dataset(args.root, args.into, progress=progress)
    for index, reason in sorted(found.lost.items()):
        print(f"Lost: {f'episode {index}' if index >= 0 else 'episodes'}: {reason}")
    print(f"Saved {len(found.kept)} episodes into {args.into}.")
    return 0


def add_merge_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``merge``."""
    parser.add_argument("roots", type=Path, nargs="+", metavar="ROOT", help="Folders of the datasets, in order.")
    _add_into(parser)
    parser.set_defaults(run=run_merge)


def run_merge(args: argparse.Namespace) -> int:
    """Merge, and print how many episodes there are now."""
    from isaac_lerobot.dataset import merge_datasets

    with _progress() as progress:
        number = merge_datasets(args.roots, args.into, progress=progress)
    print(f"Merged {number} episodes into {args.into}.")
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


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield what shows on a terminal how much is done."""
    shown = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        if shown:
            part = done / max(1, total)
            print(f"\r[{'#' * round(40 * part):40}] {part:4.0%} of {total / 1e6:.1f} MB", end="", file=sys.stderr)

    yield show
    if shown:
        print(file=sys.stderr)


def _add_into(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("into", type=Path, metavar="INTO", help="Folder of the new dataset, new or empty.")


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
