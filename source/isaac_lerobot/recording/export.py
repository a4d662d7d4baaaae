"""The export rule, and the one or two datasets that carry it out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset import DatasetWriter, Episode, VideoCodec
from isaac_lerobot.dataset.video.engine import check_encoder
from isaac_lerobot.dataset.write.overwrite import check_content, holds_dataset
from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording.commands import Outcome
from isaac_lerobot.recording.config import ExportRule, RecordingConfig
from isaac_lerobot.recording.offer import TaskOffer
from isaac_lerobot.recording.opening import DatasetSchema, failed_root, open_dataset
from isaac_lerobot.recording.selection import Selection


class Export:
    """The open dataset of a recording, and beside it the one for failed episodes if the rule asks for it.

    Args:
        config: The recording; ``dataset``, ``overwrite``, ``export``, ``codec`` and ``robot_type`` are read here.
        offer: The loaded task.
        selection: What is recorded of it.
        attributes: JSON-able facts about the environment, kept beside the dataset.
        recorded: Datasets that hold what was recorded just before: ``overwrite`` was not meant for those.
        on_committed: Called with ``(root, index)``, from the writer's thread, when an episode is safely on disk.
        on_failed: Called with ``(root, index, error)``, from the writer's thread, when one could not be brought there.

    Raises:
        ConfigError: No dataset folder is set.
        DatasetError: The folder cannot be used; the message says why.
    """

    def __init__(
        self,
        config: RecordingConfig,
        offer: TaskOffer,
        selection: Selection,
        attributes: Mapping[str, Any],
        recorded: Set[Path],
        on_committed: Callable[[Path, int], None],
        on_failed: Callable[[Path, int, Exception], None],
    ) -> None:
        self._rule = config.export
        self._callbacks = (on_committed, on_failed)
        robot_type = config.robot_type or offer.robot_type
        self._schema = DatasetSchema(offer.fps, selection.features, robot_type, config.codec)
        self._attributes = dict(attributes)
        self._overwrite, self._recorded = config.overwrite, recorded
        self._writers: list[DatasetWriter] = []
        self.root: Path | None = None
        if self._rule is ExportRule.NONE:
            return
        if config.dataset is None:
            raise ConfigError("No dataset folder is set. Set dataset to the folder to record into.")
        self.root = config.dataset.expanduser().absolute()
        self._writers.append(self._open(self.root))
        if self._rule is ExportRule.SEPARATE and failed_root(self.root).exists():
            try:
                self._failed_writer()  # better refused now than when the first episode has failed
            except BaseException:
                self.close()
                raise

    @property
    def writers(self) -> tuple[DatasetWriter, ...]:
        """The open writers: none, the dataset's, or the dataset's and the one for failed episodes."""
        return tuple(self._writers)

    @property
    def dataset(self) -> Path | None:
        """The dataset's folder if there is a dataset in it; one that got no episode is gone once it is closed."""
        return self.root if self.root is not None and holds_dataset(self.root) else None

    def begin(self, task_description: str) -> Episode | None:
        """Begin an episode; None where the rule keeps nothing."""
        return self._writers[0].begin_episode(task=task_description) if self._writers else None

    def end(
        self,
        episode: Episode,
        outcome: Outcome,
        attributes: Mapping[str, Any],
        arrays: Mapping[str, Any],
    ) -> tuple[Path, int] | None:
        """End an episode as the rule says.

        Returns:
            The dataset it goes into and its index there, or None where the rule keeps it not.
        """
        if self._rule is ExportRule.SUCCEEDED and outcome is not Outcome.SUCCESS:
            episode.discard()
            return None
        writer = self._writers[0]
        if self._rule is ExportRule.SEPARATE and outcome is not Outcome.SUCCESS:
            writer = self._failed_writer()
        index = writer.save(episode, success=outcome.success, attributes=attributes, arrays=arrays)
        return writer.root, index

    def close(self) -> None:
        """Wait for every saved episode and complete the datasets.

        Raises:
            DatasetError: An episode could not be brought to disk.
        """
        errors: list[Exception] = []
        for writer in self._writers:
            try:
                writer.close()
            except Exception as error:  # noqa: BLE001 - the other dataset is to be completed all the same
                errors.append(error)
        self._writers.clear()
        if errors:
            raise errors[0]

    def _failed_writer(self) -> DatasetWriter:
        if len(self._writers) == 1:
            root = self._writers[0].root
            self._writers.append(self._open(failed_root(root)))
        return self._writers[1]

    def _open(self, root: Path) -> DatasetWriter:
        on_committed, on_failed = self._callbacks
        return open_dataset(
            root,
            self._schema,
            overwrite=self._overwrite and root not in self._recorded,
            attributes=self._attributes,
            on_committed=lambda index: on_committed(root, index),
            on_failed=lambda index, error: on_failed(root, index, error),
        )


class Completion:
    """Waits for the encoders, joins the files and lets go of the datasets, in a thread of its own.

    Args:
        export: What to complete.

    Attributes:
        error: Why it could not be completed, once :attr:`done`; None if it was.
    """

    def __init__(self, export: Export) -> None:
        self.error: Exception | None = None
        self._export = export
        self._thread = threading.Thread(target=self._run, name="complete dataset")
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait until it has."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._export.close()
        except Exception as error:  # noqa: BLE001 - whatever it was, the host's thread is to hear of it
            self.error = error


def check_destination(config: RecordingConfig) -> None:
    """Make sure, before anything expensive is done, that a recording can be written where it is to go.

    Whether it fits what is there already is only known once the task says what there is to record.

    Raises:
        ConfigError: There is no such codec.
        DatasetError: The folder holds something else, or the encoder does not work here.
    """
    if config.dataset is None or config.export is ExportRule.NONE:
        return
    check_encoder(VideoCodec.parse(config.codec))
    root = config.dataset.expanduser().absolute()
    if config.overwrite or not holds_dataset(root):
        check_content(root, config.overwrite)
