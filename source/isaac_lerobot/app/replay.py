"""``isaac-lerobot replay``: plays a dataset's episodes back in the simulator."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaac_lerobot.app.launcher import (
    add_launcher_flags,
    check_runtime,
    launcher_arguments,
    require_isaac_lab,
    run_launched,
)
from isaac_lerobot.app.options import accept_overrides
from isaac_lerobot.errors import DatasetError, TaskError
from isaac_lerobot.recording import RecordingConfig

if TYPE_CHECKING:
    from isaac_lerobot.dataset import DatasetReader
    from isaac_lerobot.sim.drive.replay import Replay, ReplayReport

TOLERANCE = 0.01
"""How far a pose or a joint may be off after a replay: what Isaac Lab's own ``replay_demos.py`` allows [m, rad]."""


def add_replay_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``replay``."""
    parser.add_argument("root", type=Path, metavar="ROOT", help="Folder of the dataset.")
    parser.add_argument("--episode", type=int, nargs="*", metavar="N", help="Episodes to play. Unset: all.")
    parser.add_argument("--task", metavar="ID", help="Task to play in. Unset: the one the dataset names.")
    parser.add_argument("--task_packages", nargs="*", default=[], metavar="NAME", help="Modules that register tasks.")
    parser.add_argument(
        "--success_term",
        metavar="NAME",
        help="The task's termination term that means success. Unset: the one the dataset was recorded with, else "
        "'success', else one whose name ends so.",
    )
    parser.add_argument("--states", action="store_true", help="Set the recorded states instead of applying actions.")
    parser.add_argument("--validate", action="store_true", help="Compare states after each step with the recorded.")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="D",
        help=f"Largest deviation of poses and joint positions that --validate accepts. Default: {TOLERANCE}.",
    )
    parser.add_argument(
        "--step_hz", type=float, default=0.0, metavar="HZ", help="Wall-clock steps per second. 0: as fast as possible."
    )
    accept_overrides(parser)
    add_launcher_flags(parser)
    parser.set_defaults(run=run_replay)


def run_replay(args: argparse.Namespace) -> int:
    """Replay; return the exit code.

    Returns:
        0 when every episode was played, and with ``--validate`` came out as recorded; 1 otherwise.
    """
    from isaac_lerobot.dataset import DatasetReader

    dataset = DatasetReader(args.root.expanduser())
    episodes = list(range(dataset.num_episodes)) if args.episode is None else args.episode
    for index in episodes:
        dataset.episode(index)
    require_isaac_lab()
    from isaac_lerobot.sim.env.tasks import load_env_cfg

    config = _config(args, dataset)
    env_cfg = load_env_cfg(config)
    # A replay records nothing, whatever the task's configuration says.
    env_cfg.recorders = {}
    arguments = launcher_arguments(args, config, env_cfg)
    check_runtime(env_cfg, config.task, arguments)
    return run_launched(env_cfg, arguments, lambda: _play_all(args, dataset, episodes, config, env_cfg))


def matches(report: ReplayReport, tolerance: float) -> bool:
    """Whether an episode came out as recorded: its success, and poses and joints within the tolerance.

    Velocities are reported and not judged: at a contact they differ for a step where poses do not.
    """
    positions = (d.value for name, d in report.deviations.items() if not name.endswith("velocity"))
    same_outcome = report.replayed_success is None or report.replayed_success or not report.recorded_success
    return same_outcome and all(value <= tolerance for value in positions)


def report_text(report: ReplayReport, validate: bool) -> str:
    """Return what came of an episode, as lines to print."""
    outcome = {True: "success", False: "failure", None: "not judged"}
    lines = [
        f"Episode {report.index}: {report.frames} frames played; recorded {outcome[report.recorded_success]}, "
        f"replayed {outcome[report.replayed_success]}."
    ]
    if validate:
        width = max((len(name) for name in report.deviations), default=0)
        lines += [
            f"  {name:<{width}}  largest deviation {deviation.value:.6f} after frame {deviation.frame}"
            for name, deviation in sorted(report.deviations.items())
        ]
        if not report.deviations:
            lines.append("  No states to compare.")
    return "\n".join(lines)


def _play(replay: Replay, index: int, length: int, args: argparse.Namespace) -> ReplayReport:
    def on_frame(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\rEpisode {index}: frame {count}/{length}", end="\n" if count == length else "", file=sys.stderr)

    if args.states:
        return replay.play_states(index, on_frame=on_frame)
    return replay.play_actions(index, compare=args.validate, on_frame=on_frame)


def _config(args: argparse.Namespace, dataset: DatasetReader) -> RecordingConfig:
    """Return which task to play in: what was asked for, else what the dataset was recorded with."""
    facts = dataset.attributes.get("attributes", {})
    task = args.task or facts.get("env_name")
    if not task:
        raise DatasetError(f"{dataset.root} does not say which task it was recorded with. Give --task.")
    return RecordingConfig.from_mapping(
        {
            "task": str(task),
            "task_packages": args.task_packages,
            "overrides": args.overrides or facts.get("overrides", ()),
            "success_term": args.success_term or (facts.get("success_term") if task == facts.get("env_name") else None),
            "device": getattr(args, "device", None),
        },
        origin="command line",
    )


def _play_all(
    args: argparse.Namespace, dataset: DatasetReader, episodes: Sequence[int], config: RecordingConfig, env_cfg: Any
) -> int:
    import gymnasium

    from isaac_lerobot.sim.drive.replay import Replay

    task = config.task
    try:
        env: Any = gymnasium.make(task, cfg=env_cfg).unwrapped
    except Exception as error:  # a task is somebody else's code and may raise anything
        raise TaskError(f"{task} could not be built: {type(error).__name__}: {' '.join(str(error).split())}") from error
    try:
        if not hasattr(env, "termination_manager"):
            raise TaskError(f"{type(env).__name__} cannot be replayed into; manager-based RL tasks can.")
        env.reset()
        replay = Replay(env, dataset, args.step_hz, config.success_term)
        as_recorded = True
        for index in episodes:
            report = _play(replay, index, dataset.episode(index).length, args)
            print(report_text(report, args.validate), flush=True)
            as_recorded = as_recorded and matches(report, args.tolerance)
        replay.close()
    finally:
        env.close()
    return 0 if as_recorded or not args.validate else 1
