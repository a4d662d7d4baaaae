"""From HDF5 files to a LeRobot dataset: demo by demo, block by block, and again from where it was interrupted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset import DatasetWriter, Episode
from isaac_lerobot.episode_data.layout import EpisodeLayout
from isaac_lerobot.episode_data.names import NAME
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.recording.opening import DatasetSchema, open_dataset
from isaac_lerobot.tools.convert_plan import SOURCE, ConvertOptions, Plan, PlannedDemo, make_plan
from isaac_lerobot.tools.demo_blocks import Block, LocalReader, WorkerReader
from isaac_lerobot.tools.demo_file import Array, DemoFile

Reader = LocalReader | WorkerReader

_PATIENCE = 0.01
"""How often to look whether encoders have caught up [s]."""

__all__ = ["ConvertOptions", "Plan", "convert", "make_plan"]


def convert(plan: Plan, root: Path, options: ConvertOptions, on_frames: Callable[[int], None]) -> int:
    """Carry out a plan. Episodes come in the order of the demos, whatever the number of workers.

    Interrupted or killed at any moment, it leaves a dataset with the demos that were finished; the next call goes on
    behind them. A demo that turns out to be damaged is added to ``plan.refused``, and the others are converted.

    Args:
        plan: What to do.
        root: Folder of the dataset.
        options: How to do it; the same that the plan was made with.
        on_frames: Called with the number of frames that were converted since the last call.

    Returns:
        Number of demos converted.

    Raises:
        DatasetError: The dataset cannot be written; what is on the disk stays.
    """
    if not plan.demos and not options.overwrite:
        if plan.present:
            _writer(plan, root, options).close()  # says how the options differ from what is there, if they do
        return 0
    with _writer(plan, root, options) as writer:
        return _Conversion(plan, writer, options.workers, on_frames).run()


def _writer(plan: Plan, root: Path, options: ConvertOptions) -> DatasetWriter:
    schema = DatasetSchema(plan.fps, plan.layout.features(), options.robot_type, options.codec)
    return open_dataset(root, schema, overwrite=options.overwrite, attributes=plan.attributes)


class _Conversion:
    """Several demos at once, each with a reader and an open episode; saved in their order."""

    def __init__(self, plan: Plan, writer: DatasetWriter, workers: int, on_frames: Callable[[int], None]) -> None:
        self._plan, self._writer, self._on_frames = plan, writer, on_frames
        self._workers = workers

    def run(self) -> int:
        idle: list[Reader] = [WorkerReader() for _ in range(min(self._workers, len(self._plan.demos)))]
        idle = idle or [LocalReader()]
        waiting = deque(self._plan.demos)
        running: deque[_RunningDemo] = deque()
        converted, most = 0, 2 * len(idle)
        try:
            while waiting or running:
                # Those behind a long demo wait for it with their encoders: hence no more than a few.
                while waiting and idle and len(running) < most:
                    running.append(_RunningDemo(waiting.popleft(), self._plan.layout, self._writer, idle.pop()))
                for demo in running:
                    self._advance(demo, idle)
                while running and running[0].ended:
                    converted += running.popleft().save()
                while self._writer.status.saving_episodes > most:
                    time.sleep(_PATIENCE)
            self._writer.wait()
        finally:
            for reader in [*idle, *(demo.reader for demo in running if demo.reader is not None)]:
                reader.close()
            for demo in running:
                demo.abandon()
        return converted

    def _advance(self, demo: _RunningDemo, idle: list[Reader]) -> None:
        if demo.reader is None:
            return
        try:
            self._on_frames(demo.advance())
        except _DamagedError as error:
            # The rest of the file may be good.
            self._plan.refused.append((demo.planned.name, str(error)))
            # What the reader was about to send belongs to nobody; a fresh one takes its place.
            demo.reader.close()
            idle.append(LocalReader() if isinstance(demo.reader, LocalReader) else WorkerReader())
            demo.abandon()
            return
        if demo.ended:
            idle.append(demo.reader)
            demo.reader = None


class _DamagedError(DatasetError):
    """The file a demo comes from, not the dataset, is at fault."""


class _RunningDemo:
    """A demo on its way into an episode."""

    def __init__(self, planned: PlannedDemo, layout: EpisodeLayout, writer: DatasetWriter, reader: Reader) -> None:
        self.planned = planned
        self.reader: Reader | None = reader
        self.ended = False
        self._layout = layout
        self._episode: Episode = writer.begin_episode(
            planned.task, attributes={SOURCE: planned.source, NAME: planned.name.name}
        )
        self._success: bool | None = None
        self._attributes: dict[str, Any] = {}
        self._arrays: dict[str, Array] = {}
        self._kept: list[str] = []
        self._blocks: Iterator[Block] | None = None

    def advance(self) -> int:
        """Convert the next block; return its number of frames.

        Raises:
            _DamagedError: The demo cannot be read.
            DatasetError: The episode cannot be written.
        """
        try:
            if self._blocks is None:
                self._blocks = self._open()
            block = next(self._blocks, None)
        except DatasetError as error:
            raise _DamagedError(str(error)) from error
        if block is None:
            self.ended = True
            return 0
        for row, frame in enumerate(self._layout.rows(block)):
            self._episode.add_frame(frame, {path: block[path][row] for path in self._kept})
        return len(block[self._layout.paths[0]])

    def _open(self) -> Iterator[Block]:
        """Read what is kept of the demo as a whole, and begin with its columns."""
        assert self.reader is not None
        with DemoFile(self.planned.name.file) as file:
            demo = file.demo(self.planned.name.name)
            # What has no elements (the joints of an asset without any) cannot be a column.
            empty = [path for path in self.planned.kept if 0 in demo.columns[path].shape]
            self._arrays = {path: demo.read(path) for path in [*demo.others, *empty]}
        self._success = demo.success
        self._attributes = {"seed": demo.seed, "hdf5": demo.attributes}
        self._kept = [path for path in self.planned.kept if path not in empty]
        paths = list(dict.fromkeys([*self._layout.paths, *self._kept]))
        return iter(self.reader.blocks(self.planned.name, paths))

    def save(self) -> bool:
        """Save the episode; return whether there was one."""
        if not self._episode.is_open:
            return False
        self._episode.save(self._success, attributes=self._attributes, arrays=self._arrays)
        return True

    def abandon(self) -> None:
        """Leave no trace."""
        self.ended = True
        self._episode.discard()
        self.reader = None


def source_files(sources: Sequence[Path]) -> list[Path]:
    """Return the files, none twice, whatever way it is named."""
    return list({path.expanduser().resolve(): path.expanduser() for path in reversed(sources)}.values())[::-1]
