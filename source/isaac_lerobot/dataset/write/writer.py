"""Writer: records episodes into a LeRobot v3.0 dataset while a simulation runs."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import shutil
import sys
import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import warm_up
from isaac_lerobot.dataset.format.features import Feature, check_text
from isaac_lerobot.dataset.format.json_file import check_json
from isaac_lerobot.dataset.format.own import read_own
from isaac_lerobot.dataset.video.codec import VideoCodec
from isaac_lerobot.dataset.video.encoder import VideoStream
from isaac_lerobot.dataset.write import commit, join, open, overwrite
from isaac_lerobot.dataset.write.commit import DatasetState, read_state
from isaac_lerobot.dataset.write.episode import Episode
from isaac_lerobot.dataset.write.open import OpenDataset
from isaac_lerobot.dataset.write.recover import recover
from isaac_lerobot.errors import DatasetError, FeatureError

_log = logging.getLogger(__name__)

OnCommitted = Callable[[int], None]
OnFailed = Callable[[int, Exception], None]


@dataclass(frozen=True)
class WriterStatus:
    """Where a writer stands.

    Attributes:
        open_episodes: Episodes that frames are being added to.
        saving_episodes: Episodes saved and not yet on the disk.
        committed_episodes: Episodes on the disk, earlier recordings included.
        committed_frames: Frames on the disk, earlier recordings included.
        failed_episodes: Saved episodes that could not be written, since this writer was opened.
        queue_depth: Frames that wait for the slowest encoder of the open episodes.
        waited_s: How long ``add_frame`` has waited for encoders in all [s].
        bytes_written: Size of the episodes committed by this writer [bytes].
    """

    open_episodes: int
    saving_episodes: int
    committed_episodes: int
    committed_frames: int
    failed_episodes: int
    queue_depth: int
    waited_s: float
    bytes_written: int


class DatasetWriter:
    """Records episodes into a LeRobot v3.0 dataset. Made by :meth:`create` or :meth:`append`.

    The caller's thread copies frames and returns; encoding, statistics and writing happen in the background.
    Saved episodes are committed one by one in the order of ``save``. One that fails (disk full, encoder died) is
    reported through ``on_failed`` and by :meth:`wait`; the others are not affected, but for their index: indices
    have no gaps, so every episode saved after the failed one moves down by one.

    Attributes:
        root: Folder of the dataset.
        on_committed: Called with the index of an episode when it is on the disk, or None.
        on_failed: Called with the index an episode would have had, and the error, or None. Both are called from
            the writer's thread in the order of ``save``.
    """

    def __init__(
        self, opened: OpenDataset, join_every: int, on_committed: OnCommitted | None, on_failed: OnFailed | None
    ) -> None:
        self.root = opened.root
        self.on_committed, self.on_failed = on_committed, on_failed
        self._lock, self._state, self._codec = opened.lock, opened.state, opened.codec
        self._opened = opened
        self._numbers = itertools.count()
        # An encoder that was just being started by a killed recording must not meet this one's files.
        self._token = uuid.uuid4().hex[:8]
        self._changed = threading.Condition()
        self._admission = threading.Lock()
        self._process = os.getpid()
        self._open: set[Episode] = set()
        self._saving: deque[Episode] = deque()
        self._lent: list[Episode] = []
        self._reporting = False
        self._errors: list[Exception] = []
        self._failed = 0
        self._waited_s = 0.0
        self._bytes = 0
        self._first_new = opened.state.info.total_episodes
        self._join_every = join_every
        self._next_join = self._first_new + join_every
        self._joining_failed = False
        # Joining exchanges the folder of the file that holds the dataset's attributes.
        self._attributes_change = threading.Lock()
        self._closing = self._closed = False
        self._broken: Exception | None = None
        self._thread: threading.Thread | None = None
        warm_up()
        _writers.add(self)

    @classmethod
    def create(
        cls,
        root: Path | str,
        fps: int,
        features: Mapping[str, Any],
        robot_type: str | None = None,
        *,
        codec: VideoCodec | str = "h264",
        overwrite: bool = False,
        attributes: Mapping[str, Any] | None = None,
        data_files_size_in_mb: int = layout.DATA_FILES_SIZE_IN_MB,
        video_files_size_in_mb: int = layout.VIDEO_FILES_SIZE_IN_MB,
        join_every: int = 500,
        on_committed: OnCommitted | None = None,
        on_failed: OnFailed | None = None,
    ) -> DatasetWriter:
        """Start a new dataset.

        Args:
            root: Folder, new or empty.
            fps: Frames per second, a whole number.
            features: lerobot's feature definitions, ``{name: {"dtype", "shape", "names"}}``, without the
                bookkeeping ones. dtypes: numpy's numbers, ``bool``, ``string``, ``video``, ``image``.
            robot_type: Name of the robot.
            codec: Video encoder, see :meth:`VideoCodec.parse`.
            overwrite: Replace a LeRobot dataset that is already there: it is removed when the first new episode is
                committed, and comes back if none ever is. Anything else is never removed.
            attributes: What is to be kept of the whole dataset (environment, versions, ...), JSON.
            data_files_size_in_mb: Size to which data files are joined [MiB].
            video_files_size_in_mb: Size to which video files are joined [MiB].
            join_every: Number of episodes after which their files are joined while recording goes on. The last are
                joined by :meth:`close`.
            on_committed: See the class.
            on_failed: See the class.

        Raises:
            FeatureError: The features or the frame rate cannot be used.
            DatasetError: The folder holds something.
            DatasetLockedError: Another process is writing there.
            EncoderError: There is no ffmpeg.
        """
        opened = open.create(
            Path(root).absolute(),
            fps,
            features,
            robot_type,
            codec,
            overwriting=overwrite,
            attributes=attributes,
            data_files_size_in_mb=data_files_size_in_mb,
            video_files_size_in_mb=video_files_size_in_mb,
        )
        return cls(opened, join_every, on_committed, on_failed)

    @classmethod
    def append(
        cls,
        root: Path | str,
        fps: int | None = None,
        features: Mapping[str, Any] | None = None,
        robot_type: str | None = None,
        codec: VideoCodec | str | None = None,
        *,
        join_every: int = 500,
        on_committed: OnCommitted | None = None,
        on_failed: OnFailed | None = None,
    ) -> DatasetWriter:
        """Go on where a dataset ended. Removes what an interrupted recording left behind.

        Args:
            root: Folder of the dataset.
            fps: If given, must be the dataset's.
            features: If given, must be the dataset's.
            robot_type: If given, must be the dataset's.
            codec: If given, must make videos like those of the dataset; by default they decide.
            join_every: See :meth:`create`.
            on_committed: See the class.
            on_failed: See the class.

        Raises:
            FeatureError: Lists every difference between what was given and the dataset.
            DatasetError: There is no dataset, or it is damaged.
            DatasetLockedError: Another process is writing it.
            EncoderError: There is no ffmpeg.
        """
        opened = open.append(Path(root).absolute(), fps, features, robot_type, codec)
        return cls(opened, join_every, on_committed, on_failed)

    @property
    def fps(self) -> int:
        """Frames per second."""
        return self._state.info.fps

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """The feature definitions, without the bookkeeping ones."""
        return {name: feature.definition() for name, feature in self._state.info.features.items()}

    @property
    def codec(self) -> VideoCodec:
        """Encoder of the videos."""
        return self._codec

    @property
    def status(self) -> WriterStatus:
        """Where the writer stands now. Cheap; from any thread."""
        with self._changed:
            info = self._state.info
            episodes = list(self._open)
            return WriterStatus(
                open_episodes=len(episodes),
                saving_episodes=len(self._saving),
                committed_episodes=info.total_episodes,
                committed_frames=info.total_frames,
                failed_episodes=self._failed,
                queue_depth=max((episode.queue_depth for episode in episodes), default=0),
                waited_s=self._waited_s + sum(episode.waited_s for episode in episodes),
                bytes_written=self._bytes,
            )

    def begin_episode(self, task: str, *, attributes: Mapping[str, Any] | None = None) -> Episode:
        """Open an episode. Several may be open at once.

        Args:
            task: What is to be done, in words; becomes the task text of every frame.
            attributes: What is known of the episode from the start, kept beside the dataset (JSON).

        Raises:
            DatasetError: The writer is closed, or the folder cannot be written.
        """
        self._need_working()
        if not isinstance(task, str) or not task:
            raise FeatureError(f"The task of an episode must be a text, got {task!r}.")
        check_text(task, "The task of an episode")
        check_json(attributes, "attributes of the episode")
        self._need_folder()
        folder = self.root / layout.STAGING / f"episode-{next(self._numbers):06d}-{self._token}"
        features = self._state.info.features
        try:
            folder.mkdir(parents=True)
            episode = Episode(folder, features, self._open_stream, task, attributes or {}, self)
        except (OSError, MemoryError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise DatasetError(f"Cannot record into {self.root}: {error}.") from error
        with self._changed:
            self._open.add(episode)
        return episode

    def save(
        self,
        episode: Episode,
        success: bool | None = None,
        *,
        attributes: Mapping[str, Any] | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> int:
        """End an episode and have it committed in the background; returns at once.

        Args:
            episode: Begun by this writer, or by another one of a dataset with the same features and rate on the same
                file system: failed episodes are kept apart this way. Either writer may be closed first.
            success: Whether it succeeded; goes into the episode table. None where nobody judged.
            attributes: What JSON can hold (seed, environment, ...), kept beside the dataset.
            arrays: Arrays kept beside the dataset (initial state, ...). Names may hold ``/``.

        Returns:
            The index of the episode. Should an earlier episode that is still being saved fail, this one and those
            after it move down by one: indices have no gaps.

        Raises:
            FeatureError: This dataset has other features, another rate or other videos. The episode is still open,
                and can be saved elsewhere.
            DatasetError: The episode has no frames, is over already, or has failed.
        """
        home = episode.home
        if home is not self:
            self.check_fits(home._state.info.features, home.fps, home.codec)
        with self._admission:  # close, from another thread, comes before this or after it
            self._need_working()
            self._start_thread()
            episode.end(success, attributes, arrays)
            with self._changed:
                self._saving.append(episode)
                index = self._state.info.total_episodes + len(self._saving) - 1
                self._changed.notify_all()
        home.forget(episode)
        return index

    def forget(self, episode: Episode) -> None:
        """Take notice that an episode begun here is no longer open. For the episode."""
        with self._changed:
            if episode in self._open:
                self._open.discard(episode)
                self._waited_s += episode.waited_s
                # What another writer saves lies in this one's staging folder until that has committed it.
                self._lent = [other for other in self._lent if not other.has_left]
                self._lent.append(episode)

    def check_fits(self, features: Mapping[str, Feature], fps: int, codec: VideoCodec) -> None:
        """Make sure that an episode like this can be saved here.

        Raises:
            FeatureError: Lists every difference between the episode and the dataset.
            DatasetError: The writer is closed, or cannot go on.
        """
        self._need_working()
        found = open.differences_to(self._state.info, fps, features, None, codec)
        if found:
            raise FeatureError(f"The episode cannot be saved into {self.root}: " + "; ".join(found) + ".")

    def update_attributes(self, changes: Mapping[str, Any]) -> None:
        """Change what is kept of the whole dataset, see ``attributes`` of :meth:`create`.

        Args:
            changes: New values by name, JSON.

        Raises:
            DatasetError: They are no JSON, the writer is closed, or the folder cannot be written.
        """
        self._need_working()
        check_json(changes, "attributes of the dataset")
        with self._attributes_change:
            own = read_own(self.root)
            own = replace(own, attributes={**own.attributes, **changes})
            try:
                durable.replace_json(self.root, layout.OWN_METADATA, own.to_json())
            except OSError as error:
                raise DatasetError(f"The attributes of {self.root} could not be written: {error}.") from error

    def wait(self) -> None:
        """Wait until every saved episode is on the disk.

        Raises:
            DatasetError: Episodes failed since the last call; says which and why. The others are on the disk.
        """
        self._need_other_thread()
        self._need_own_process()
        with self._changed:
            self._changed.wait_for(lambda: not self._saving and not self._reporting)
            errors, self._errors = self._errors, []
        if errors:
            raise DatasetError(" ".join(str(error) for error in errors)) from errors[0]

    def close(self, *, join_files: bool = True) -> None:
        """Wait for the saved episodes, join their files, and let go of the dataset. May be called twice.

        Episodes that are still open are discarded. A new dataset that got no episode is removed, as no reader could
        open it; one that it was to overwrite is there again. If this is interrupted (Ctrl+C) while episodes are being
        saved, they go on being saved, and the dataset stays locked: another call waits for the rest. In a forked child
        it does nothing: the dataset is its parent's.

        Args:
            join_files: Join the files of the episodes into files of the format's sizes.

        Raises:
            DatasetError: As :meth:`wait`, or the files could not be joined; the dataset is good as it is then.
        """
        if self._closed or os.getpid() != self._process:
            return
        self._need_other_thread()
        with self._admission:
            self._closing = True
        for episode in list(self._open):
            episode.discard()
        # Until this has ended, the commit thread works in the folder: nothing may let go of it.
        self._finish_saving()
        try:
            if self._opened.is_new and not self._state.info.total_episodes:
                self._withdraw()
            else:
                complete = not self._failed and not self._joining_failed
                if join_files and self._broken is None and self._state.info.total_episodes > self._first_new:
                    complete = self._join() and complete
                self._remove_staging(complete)
        finally:
            self._closed = True
            self._lock.release()
            _writers.discard(self)
            if self._opened.made_folder:
                with contextlib.suppress(OSError):  # only where nothing is left in it
                    self.root.rmdir()
        self.wait()

    def disown(self) -> None:
        """Leave it to the process that opened it. For a forked child of that, which has none of its threads."""
        self._changed, self._admission = threading.Condition(), threading.Lock()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except DatasetError as failure:
            if error is None:
                raise
            _log.error("%s", failure)

    def _finish_saving(self) -> None:
        with self._changed:
            self._changed.notify_all()
            # Not by joining the thread: Python takes it for ended when a KeyboardInterrupt ends the waiting.
            self._changed.wait_for(lambda: not self._saving and self._thread is None)
        for episode in self._lent:
            episode.wait_until_left()

    def _need_other_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise DatasetError("A listener of the writer cannot wait for it: it is what the writer waits for.")

    def _start_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=f"commit {self.root.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise DatasetError(f"The episode cannot be saved now: {error}. It is still open.") from error
            self._thread = thread

    def _need_own_process(self) -> None:
        if os.getpid() != self._process:
            raise DatasetError(f"{self.root} is recorded by process {self._process}; a forked child cannot go on.")

    def _need_working(self) -> None:
        self._need_own_process()
        if self._closing:
            raise DatasetError(f"The writer of {self.root} is closed.")
        if self._broken is not None:
            raise DatasetError(f"The writer of {self.root} cannot go on: {self._broken}")

    def _need_folder(self, error: Exception | None = None) -> None:
        if not (self.root / layout.INFO).is_file():
            raise DatasetError(f"The dataset folder {self.root} was removed or moved while recording.") from error

    def _join(self) -> bool:
        try:
            self._need_folder()
            if not join.join_files(self.root):
                join.renew_statistics(self.root)
        except (OSError, DatasetError) as error:
            is_there = (self.root / layout.INFO).is_file() or join.is_interrupted(self.root)
            text = f"All episodes are saved, but the files of {self.root} could not be joined: {error}"
            self._errors.append(DatasetError(text if is_there else str(error)))
            return False
        return True

    def _withdraw(self) -> None:
        try:
            if self.root.is_dir():
                overwrite.withdraw(self.root)
        except OSError as error:
            _log.warning("Could not remove the empty dataset %s: %s", self.root, error)

    def _remove_staging(self, complete: bool) -> None:
        try:
            if not complete:
                # Ends a joining that got as far as its journal, and removes what is left of anything else. Where it
                # cannot, the staging folder stays: the next open needs what is in it.
                recover(self.root)
            durable.remove_tree(self.root / layout.STAGING)
        except (OSError, DatasetError) as error:
            _log.warning("Could not remove %s: %s", self.root / layout.STAGING, error)

    def _open_stream(self, path: Path, shape: tuple[int, ...]) -> VideoStream:
        return VideoStream(path, shape, self.fps, self._codec)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._saving or self._closing)
                if not self._saving:
                    self._thread = None
                    self._changed.notify_all()
                    return
                episode = self._saving[0]
            index = self._state.info.total_episodes
            try:
                state = self._commit(episode)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the episodes after it go on
                self._report_failure(episode, index, error)
                continue
            with self._changed:
                self._state = state
                self._saving.popleft()
                self._reporting = True
            self._report(self.on_committed, index)
            if self._state.info.total_episodes >= self._next_join:
                self._join_on_the_way()

    def _join_on_the_way(self) -> None:
        """Join the files so far, before the next episode is committed. Those being recorded are not held up."""
        self._next_join += self._join_every
        try:
            with self._attributes_change:
                join.join_files(self.root, on_the_way=True)
            self._state = read_state(self.root)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the episodes after it go on
            _log.warning("The files of %s could not be joined now; closing will try again: %s", self.root, error)
            self._joining_failed = True
            self._end_joining(error)

    def _end_joining(self, cause: Exception) -> None:
        """Bring a joining that failed to its end where it got too far to be undone."""
        try:
            if join.is_interrupted(self.root):
                join.finish(self.root)
            self._state = read_state(self.root)
        except Exception:  # noqa: BLE001 - likewise
            self._broken = DatasetError(f"Its files could not be joined: {cause}. Every saved episode is in it.")

    def _commit(self, episode: Episode) -> DatasetState:
        if self._broken is not None:
            raise DatasetError(str(self._broken))
        try:
            finished = episode.finish()
        except DatasetError as error:
            self._need_folder(error)
            raise
        size = sum(video.path.stat().st_size for video in finished.videos.values()) + finished.rows.nbytes
        state = commit.commit_episode(self.root, self._state, finished)
        episode.leave()
        if self._opened.is_new and not self._state.info.total_episodes:
            self._remove_replaced()
        self._bytes += size
        return state

    def _remove_replaced(self) -> None:
        try:
            overwrite.settle(self.root)
        except OSError as error:  # the next open tries again
            _log.warning("Could not remove the dataset that was overwritten: %s", error)

    def _report_failure(self, episode: Episode, index: int, error: Exception) -> None:
        if isinstance(error, commit.UndoError):
            self._broken = error
        if not isinstance(error, DatasetError):
            error = DatasetError(f"The episode could not be written: {error}.")
        message = f"Episode {index} was not saved: {error}"
        _log.error("%s", message)
        episode.clean_up()
        with self._changed:
            self._saving.popleft()
            self._failed += 1
            self._errors.append(DatasetError(message))
            self._reporting = True
        self._report(self.on_failed, index, error)

    def _report(self, callback: Callable[..., None] | None, *values: Any) -> None:
        """Tell a listener; ``wait`` returns only after it was told."""
        try:
            if callback is not None:
                callback(*values)
        except Exception:  # noqa: BLE001 - a listener's mistake must not cost an episode
            _log.exception("A listener of the dataset writer failed.")
        with self._changed:
            self._reporting = False
            self._changed.notify_all()


_writers: weakref.WeakSet[DatasetWriter] = weakref.WeakSet()


def _disown_all() -> None:
    for writer in list(_writers):
        writer.disown()
    _writers.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)


@atexit.register
def _finish_saving() -> None:
    """Let saved episodes reach the disk when the interpreter ends without ``close``."""
    for writer in list(_writers):
        try:
            writer.wait()
        except DatasetError as error:
            _log.error("%s", error)
