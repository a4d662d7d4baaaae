"""``isaac-lerobot convert``: between Isaac Lab's HDF5 files and LeRobot datasets, in either direction."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from isaac_lerobot.app.exit_codes import INTERRUPTED
from isaac_lerobot.errors import ConfigError

HDF5_SUFFIXES = (".hdf5", ".h5")


def add_convert_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convert``; those that a recording has too have its names."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="IN.hdf5 [IN2.hdf5 …] OUT, or IN OUT.hdf5.")
    parser.add_argument("--success_only", action="store_true", help="Leave out all but successes.")
    parser.add_argument("--overwrite", action="store_true", help="Replace what is there instead of continuing it.")
    group = parser.add_argument_group("to a LeRobot dataset")
    group.add_argument(
        "--state_keys", nargs="*", default=[], metavar="KEY", help="Terms concatenated into observation.state."
    )
    group.add_argument(
        "--observation_keys", nargs="*", default=[], metavar="KEY", help="Terms recorded as observation.<term> each."
    )
    group.add_argument(
        "--cameras", nargs="*", metavar="KEY", help="Picture terms to make videos of. Unset: all there are."
    )
    group.add_argument("--fps", type=int, metavar="N", help="Frames per second. Unset: what the file says.")
    group.add_argument(
        "--task_description", default="", metavar="TEXT", help="What the robot does. Unset: the environment's name."
    )
    group.add_argument("--robot_type", metavar="NAME", help="Robot's name in the dataset.")
    group.add_argument("--codec", default="h264", metavar="NAME", help="Video codec. Default: h264.")
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="Processes that read, each with an episode of its own. 0: none but this one. Default: "
        f"{default_workers()} here.",
    )
    parser.set_defaults(run=run_convert)


def default_workers() -> int:
    """Return how many readers pay: each keeps about two further processors busy with its encoders."""
    return min(4, (os.cpu_count() or 1) // 3)


def run_convert(args: argparse.Namespace) -> int:
    """Convert; return the exit code: 0 all done, 1 some demos could not be converted."""
    if len(args.paths) < 2:
        raise ConfigError("Name what to convert and what to make: convert IN.hdf5 OUT, or convert IN OUT.hdf5.")
    *sources, target = (path.expanduser() for path in args.paths)
    backward = [source for source in sources if source.suffix.lower() not in HDF5_SUFFIXES]
    to_hdf5 = target.suffix.lower() in HDF5_SUFFIXES
    if to_hdf5 and (len(sources) > 1 or not backward):
        raise ConfigError(f"{target} is an HDF5 file, so name one LeRobot dataset to make it of.")
    if not to_hdf5 and backward:
        raise ConfigError(f"{backward[0]} is no HDF5 file ({' or '.join(HDF5_SUFFIXES)}).")
    try:
        with _interruptible() as interrupts:
            if to_hdf5:
                return _to_hdf5(args, sources[0], target, interrupts)
            return _to_lerobot(args, sources, target, interrupts)
    except KeyboardInterrupt:
        kept = "Nothing was written." if to_hdf5 else "What was converted is kept; the same command goes on from there."
        print(f"Interrupted. {kept}", file=sys.stderr)
        return INTERRUPTED


def _to_lerobot(args: argparse.Namespace, sources: Sequence[Path], root: Path, interrupts: Sequence[int]) -> int:
    from isaac_lerobot.episode_data.choice import Choice
    from isaac_lerobot.tools.convert import ConvertOptions, convert, make_plan, source_files

    cameras = None if args.cameras is None else tuple(args.cameras)
    options = ConvertOptions(
        choice=Choice(tuple(args.state_keys), tuple(args.observation_keys), cameras),
        fps=args.fps,
        task_description=args.task_description,
        robot_type=args.robot_type,
        codec=args.codec,
        success_only=args.success_only,
        overwrite=args.overwrite,
        workers=default_workers() if args.workers is None else max(0, args.workers),
    )
    plan = make_plan(source_files(sources), root, options)
    for note in plan.notes:
        print(note, file=sys.stderr)
    with _progress_bar(plan.frames, interrupts) as on_frames:
        converted = convert(plan, root, options, on_frames)
    for demo, reason in plan.refused:
        print(f"Not converted: {demo}: {reason}.", file=sys.stderr)
    parts = [f"{converted} demos converted"]
    parts += [f"{len(plan.present)} were there already"] if plan.present else []
    parts += [f"{len(plan.left_out)} left out as not successful"] if plan.left_out else []
    parts += [f"{len(plan.refused)} could not be converted"] if plan.refused else []
    print(f"{', '.join(parts)}: {root}")
    return 1 if plan.refused else 0


def _to_hdf5(args: argparse.Namespace, root: Path, target: Path, interrupts: Sequence[int]) -> int:
    from isaac_lerobot.dataset import DatasetReader
    from isaac_lerobot.tools.to_hdf5 import convert_back

    dataset = DatasetReader(root)
    with _progress_bar(dataset.num_frames, interrupts) as on_frames:
        written = convert_back(
            dataset, target, success_only=args.success_only, overwrite=args.overwrite, on_frames=on_frames
        )
    print(f"{written} episodes written: {target}")
    return 0


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Note every Ctrl+C: Python drops the exception of one that comes in the middle of a finalizer or a callback."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _progress_bar(frames: int, interrupts: Sequence[int]) -> Iterator[Callable[[int], None]]:
    """Show how far a conversion is; what is yielded takes the number of frames since the last call.

    It raises a ``KeyboardInterrupt`` that was dropped.
    """
    from isaac_lerobot.tools.dependencies import load

    tqdm = load("tqdm", "The progress bar")
    with tqdm.tqdm(total=frames, unit=" frames", desc="Converting", file=sys.stderr) as bar:

        def on_frames(count: int) -> None:
            if interrupts:
                raise KeyboardInterrupt
            bar.update(count)

        yield on_frames
