"""From HDF5 files to a LeRobot dataset: demo by demo, block by block, and again from where it was interrupted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from isaac_lerobot.dataset import DatasetWriter, Episode
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.tools.convert_plan import SOURCE, ConvertOptions, Plan, PlannedDemo, make_plan
from isaac_lerobot.tools.demo_blocks import Block, LocalReader, WorkerReader
from isaac_lerobot.tools.demo_file import DemoFile
from isaac_lerobot.tools.mapping import Mapping

Reader = LocalReader | WorkerReader

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
        return 0
    with _writer(plan, root, options) as writer:
        return _Conversion(plan, writer, options.workers, on_frames).run()


def _writer(plan: Plan, root: Path, options: ConvertOptions) -> DatasetWriter:
    occupied = root.is_dir() and any(root.iterdir())
    schema = (plan.fps, plan.mapping.features)
    if occupied and not options.overwrite:
        return DatasetWriter.append(root, *schema, codec=options.codec)
    return DatasetWriter.create(
        root,
        *schema,
        robot_type=options.robot_type,
        codec=options.codec,
        overwrite=options.overwrite,
        attributes=plan.attributes,
    )


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
        converted = 0
        try:
            while waiting or running:
                while waiting and idle:
                    running.append(_RunningDemo(waiting.popleft(), self._plan.mapping, self._writer, idle.pop()))
                for demo in running:
                    self._advance(demo, idle)
                while running and running[0].ended:
                    converted += running.popleft().save()
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

    def __init__(self, planned: PlannedDemo, mapping: Mapping, writer: DatasetWriter, reader: Reader) -> None:
        self.planned = planned
        self.reader: Reader | None = reader
        self.ended = False
        self._mapping = mapping
        with DemoFile(planned.name.file) as file:
            demo = file.demo(planned.name.name)
            self._success = demo.success
            # What has no elements (the joints of an asset without any) cannot be a column.
            empty = [path for path in planned.kept if 0 in demo.columns[path].shape]
            self._arrays = {path: demo.read(path) for path in [*demo.others, *empty]}
            attributes = {"seed": demo.seed, SOURCE: planned.source, "hdf5": demo.attributes}
        self._kept = [path for path in planned.kept if path not in empty]
        self._episode: Episode = writer.begin_episode(planned.task, attributes=attributes)
        self._blocks: Iterator[Block] = reader.blocks(planned.name, list(dict.fromkeys([*mapping.paths, *self._kept])))

    def advance(self) -> int:
        """Convert the next block; return its number of frames."""
        try:
            block = next(self._blocks, None)
        except DatasetError as error:
            raise _DamagedError(str(error)) from error
        if block is None:
            self.ended = True
            return 0
        for row, frame in enumerate(self._mapping.frames(block)):
            self._episode.add_frame(frame, {path: block[path][row] for path in self._kept})
        return len(block[self._mapping.paths[0]])

    def save(self) -> bool:
        """Save the episode; return whether there was one."""
        if not self._episode.is_open:
            return False
        self._episode.save(self._success, arrays=self._arrays)
        return True

    def abandon(self) -> None:
        """Leave no trace."""
        self.ended = True
        self._episode.discard()
        self.reader = None


def source_files(sources: Sequence[Path]) -> list[Path]:
    """Return the files, none twice."""
    return list(dict.fromkeys(path.expanduser() for path in sources))
