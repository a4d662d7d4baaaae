"""``Plan``: what a conversion will do, made from the files' metadata before a single frame is read."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset.format.sidecar import read_attributes
from isaac_lerobot.episode_data.choice import Choice, lay_out
from isaac_lerobot.episode_data.layout import LAYOUT, EpisodeLayout, Part
from isaac_lerobot.errors import ConfigError, DatasetError
from isaac_lerobot.recording.offer import whole_fps
from isaac_lerobot.tools.demo_blocks import DemoName
from isaac_lerobot.tools.demo_file import ACTIONS, Demo, DemoFile

SOURCE = "source"
"""The attribute of an episode that says which demo it was: its file's name, its own, and a hash of its content."""


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        choice: What becomes a feature.
        fps: Frames per second; None: what the file says.
        task_description: What the robot does, in words; empty: the file's environment name.
        robot_type: Name of the robot, or None.
        codec: Video codec, see ``VideoCodec.parse``.
        success_only: Leave out demos that failed, and those of which nothing is known.
        overwrite: Replace a dataset that is already there instead of continuing it.
        workers: Processes that read, and episodes converted at once; 0: one at a time, in this process.
    """

    choice: Choice = field(default_factory=Choice)
    fps: int | None = None
    task_description: str = ""
    robot_type: str | None = None
    codec: str = "h264"
    success_only: bool = False
    overwrite: bool = False
    workers: int = 0


@dataclass(frozen=True)
class PlannedDemo:
    """A demo that will be converted.

    Attributes:
        name: Which one.
        task: Its task text.
        source: What goes into the attribute :data:`SOURCE` of its episode.
        kept: Paths of columns to keep beside the dataset.
        frames: Its length.
    """

    name: DemoName
    task: str
    source: dict[str, str]
    kept: tuple[str, ...]
    frames: int


@dataclass
class Plan:
    """What will be done.

    Attributes:
        fps: Frames per second.
        layout: The features and where they come from.
        attributes: What is kept of the files as a whole.
        demos: The demos to convert, in order.
        present: Demos that the dataset has already.
        left_out: Demos left out because only successes are wanted.
        refused: Demos that cannot be converted, with the reason.
        notes: What else a person should know.
    """

    fps: int
    layout: EpisodeLayout
    attributes: dict[str, Any]
    demos: list[PlannedDemo] = field(default_factory=list)
    present: list[DemoName] = field(default_factory=list)
    left_out: list[DemoName] = field(default_factory=list)
    refused: list[tuple[DemoName, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames to convert."""
        return sum(demo.frames for demo in self.demos)


def make_plan(sources: Sequence[Path], root: Path, options: ConvertOptions) -> Plan:
    """Look at the files and at what the dataset has already.

    Args:
        sources: The HDF5 files.
        root: Folder of the dataset.
        options: How to convert.

    Raises:
        ConfigError: A key that no demo has, or no frame rate.
        DatasetError: A file cannot be read, or holds no demo with actions.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(DemoFile(path)) for path in sources]
        demos: list[tuple[DemoName, DemoFile, Demo]] = []
        damaged: list[tuple[DemoName, str]] = []
        for file in files:
            for name in (DemoName(file.path, name) for name in file.names):
                try:
                    demos.append((name, file, file.demo(name.name)))
                except DatasetError as error:
                    damaged.append((name, str(error)))
        # An empty demo says nothing about the others, so the first with frames decides.
        model = next((demo for _, _, demo in demos if demo.length), None)
        if model is None:
            raise DatasetError(f"{', '.join(map(str, sources))}: there is no demo with actions that can be read.")
        layout = _layout(model, options.choice)
        plan = Plan(_fps(files, options), layout, _attributes(files[0], layout), refused=damaged)
        done = Counter() if options.overwrite else _converted(root)
        for name, file, demo in demos:
            try:
                _plan_demo(plan, name, file, demo, options, done)
            except DatasetError as error:
                plan.refused.append((name, str(error)))
        plan.notes += _notes(model, plan)
    return plan


def _plan_demo(
    plan: Plan, name: DemoName, file: DemoFile, demo: Demo, options: ConvertOptions, done: Counter[tuple[str, ...]]
) -> None:
    if options.success_only and not demo.success:
        plan.left_out.append(name)
        return
    problems = _differences(demo, plan.layout) if demo.length else ["it has no frames"]
    if problems:
        plan.refused.append((name, "; ".join(problems)))
        return
    source = {"file": name.file.name, "demo": name.name, "content": demo.digest()}
    if done[tuple(source.values())]:
        done[tuple(source.values())] -= 1  # an episode is one demo, also where two files hold the same
        plan.present.append(name)
        return
    task = options.task_description or str(file.env_args.get("env_name") or "") or name.file.stem
    kept = tuple(path for path in _unused(demo, plan.layout) if options.choice.keeps(path))
    plan.demos.append(PlannedDemo(name, task, source, kept, demo.length))


def _layout(demo: Demo, choice: Choice) -> EpisodeLayout:
    """Choose from what a demo holds."""
    if ACTIONS not in demo.columns or len(demo.columns[ACTIONS].shape) != 2:
        raise DatasetError(f"{demo.name} has no 'actions' with one row per frame.")
    return lay_out(_parts(demo), choice)


def _parts(demo: Demo) -> list[Part]:
    return [Part(path, entry.shape[1:], entry.dtype) for path, entry in demo.columns.items()]


def _unused(demo: Demo, layout: EpisodeLayout) -> list[str]:
    """Return the columns that are no features, and no pictures either."""
    return [part.path for part in _parts(demo) if part.path not in layout.paths and not part.is_picture]


def _differences(demo: Demo, layout: EpisodeLayout) -> list[str]:
    """Say in sentences why a demo cannot be converted with this layout; empty where it can."""
    found = []
    for part in (part for parts in layout.parts.values() for part in parts):
        entry = demo.columns.get(part.path)
        if entry is None:
            found.append(f"it has no {part.path} with {demo.length} rows")
        elif entry.shape[1:] != part.shape:
            found.append(f"{part.path} has rows of {entry.shape[1:]}, not of {part.shape}")
        elif entry.dtype != part.dtype:
            found.append(f"{part.path} is {entry.dtype}, not {part.dtype}")
    return found


def _fps(files: Sequence[DemoFile], options: ConvertOptions) -> int:
    if options.fps is not None:
        return options.fps
    rates = {file.path.name: _file_fps(file) for file in files}
    if len(set(rates.values())) > 1:
        listed = ", ".join(f"{name}: {rate}" for name, rate in rates.items())
        raise ConfigError(f"The files have different frame rates ({listed}). Convert them into datasets of their own.")
    return next(iter(rates.values()))


def _file_fps(file: DemoFile) -> int:
    arguments = file.env_args.get("sim_args")
    try:
        step = float(arguments["dt"]) * float(arguments["decimation"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        raise ConfigError(f"{file.path} does not say how many frames it has per second. Give --fps.") from None
    fps = whole_fps(step)
    if fps is None:
        raise ConfigError(
            f"{file.path}: its environment steps every {step:.6g} s, which is no whole number of frames per second, "
            "and a LeRobot dataset needs one. Give --fps to choose one."
        )
    return fps


def _attributes(file: DemoFile, layout: EpisodeLayout) -> dict[str, Any]:
    return {
        "env_name": str(file.env_args.get("env_name") or ""),
        "env_args": {key: value for key, value in file.env_args.items() if key != "env_name"},
        LAYOUT: layout.to_json(),
    }


def _converted(root: Path) -> Counter[tuple[str, ...]]:
    """Return how many episodes of each source the dataset has, told by their attributes."""
    found: Counter[tuple[str, ...]] = Counter()
    for index in itertools.count():
        attributes = read_attributes(root, index)
        if not attributes:
            break
        if isinstance(source := attributes.get(SOURCE), dict):
            found[tuple(str(value) for value in source.values())] += 1
    return found


def _notes(model: Demo, plan: Plan) -> list[str]:
    notes = []
    if model.texts:
        notes.append(f"Left out, because they hold texts: {', '.join(model.texts)}.")
    pictures = [part.path for part in _parts(model) if part.is_picture and part.path not in plan.layout.paths]
    if pictures:
        notes.append(f"Pictures left out: {', '.join(pictures)}.")
    if "observation.state" not in plan.layout.parts:
        notes.append(
            "There is no observation.state, which most policies want. Name the terms it is made of with --state_keys."
        )
    return notes
