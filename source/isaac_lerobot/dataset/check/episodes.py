"""Rules for the episode table under ``meta/episodes/``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isaac_lerobot.dataset.check.evidence import Evidence, UnavailableError
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, rule
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.statistics import KEYS

_TABLE = "meta/episodes"
_COLUMNS = (
    "episode_index", "tasks", "length", "data/chunk_index", "data/file_index", "dataset_from_index",
    "dataset_to_index", "meta/episodes/chunk_index", "meta/episodes/file_index",
)  # fmt: skip
_VIDEO_COLUMNS = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")


def _episode(index: int) -> str:
    return f"episode {index}"


@rule("episodes-missing", ERROR, "lerobot finds no episode and asks the Hub for one. Run `isaac-lerobot salvage`")
def _there(evidence: Evidence) -> Complaints:
    """There is an episode table."""
    if not evidence.episode_files and evidence.info.get("total_episodes"):
        yield _TABLE, "there is no file of it"


@rule("episodes-unreadable", ERROR, "lerobot does not load the dataset. Run `isaac-lerobot salvage`")
def _readable(evidence: Evidence) -> Complaints:
    """Every file of it is readable."""
    for file in evidence.episode_files:
        if file.error:
            yield file.name, f"it {file.error}"
        else:
            try:
                evidence.episode_rows(file)
            except UnavailableError as error:
                yield file.name, str(error)


def _wanted_columns(evidence: Evidence) -> Iterator[str]:
    yield from _COLUMNS
    for camera in evidence.cameras:
        yield from (f"videos/{camera}/{part}" for part in _VIDEO_COLUMNS)


@rule("episodes-column-missing", ERROR, "items, editing or merging fail")
def _columns(evidence: Evidence) -> Complaints:
    """It has lerobot's columns, and four for each camera."""
    wanted = list(_wanted_columns(evidence))
    for file in evidence.episode_files:
        if file.schema is not None and (missing := [name for name in wanted if name not in file.schema.names]):
            yield file.name, f"it lacks {shortened(missing)}"


@rule(
    "episodes-stats-missing",
    ERROR,
    "lerobot-edit-dataset rebuilds stats.json from them, and leaves it empty or incomplete without a word",
)
def _statistics_columns(evidence: Evidence) -> Complaints:
    """It has ten statistics columns for each feature but texts."""
    features = [feature for feature in evidence.features.values() if feature.dtype not in ("string", "language")]
    wanted = [f"stats/{feature.name}/{key}" for feature in features for key in KEYS]
    for file in evidence.episode_files:
        names = set(file.schema.names) if file.schema is not None else set(wanted)
        if missing := [name for name in wanted if name not in names]:
            yield file.name, f"it lacks {shortened(missing)}"


@rule("episodes-schema", ERROR, "lerobot cannot read them as one table")
def _same_columns(evidence: Evidence) -> Complaints:
    """All its files have the columns of the first, and no others."""
    readable = [file for file in evidence.episode_files if file.schema is not None]
    for file in readable[1:]:
        first, this = readable[0].schema, file.schema
        if first.equals(this):
            continue
        other = [name for name in first.names if name in this.names and first.field(name).type != this.field(name).type]
        # A column that a later file lacks is read as empty.
        if names := [*other, *sorted(set(this.names) - set(first.names))]:
            yield file.name, f"it differs from {readable[0].name} in {shortened(names)}"


@rule("episodes-null", ERROR, "items, editing or merging fail")
def _filled(evidence: Evidence) -> Complaints:
    """No cell that lerobot needs is empty."""
    for name in _wanted_columns(evidence):
        rows = [row for row, value in enumerate(evidence.episodes.get(name, [])) if value is None]
        if rows:
            yield _TABLE, f"{name} is empty for the episodes {shortened(rows)}"


@rule("episodes-order", ERROR, "lerobot uses another episode's video, without a word. Run `isaac-lerobot salvage`")
def _order(evidence: Evidence) -> Complaints:
    """Row i is episode i, with no gap."""
    (indices,) = evidence.episode_numbers("episode_index")
    if len(wrong := np.flatnonzero(indices != np.arange(len(indices)))):
        row = int(wrong[0])
        yield _TABLE, f"row {row} is episode {indices[row]}"


@rule("episodes-range", ERROR, "windows and samplers cross episodes")
def _range(evidence: Evidence) -> Complaints:
    """`dataset_from_index` and `dataset_to_index` follow on each other, `length` apart."""
    starts, stops, lengths = evidence.episode_numbers("dataset_from_index", "dataset_to_index", "length")
    expected = np.concatenate([[0], stops[:-1]])
    for row in np.flatnonzero(starts != expected):
        yield _episode(row), f"dataset_from_index is {starts[row]}, and the episodes before end at {expected[row]}"
    for row in np.flatnonzero((stops - starts != lengths) | (lengths <= 0)):
        yield (
            _episode(row),
            f"its length is {lengths[row]}, and its rows are {starts[row]} to {stops[row]}, end exclusive",
        )


@rule("episodes-rows", ERROR, "windows, samplers and merging use another episode's rows")
def _rows(evidence: Evidence) -> Complaints:
    """An episode's range holds its rows and no others."""
    starts, stops = evidence.episode_numbers("dataset_from_index", "dataset_to_index")
    if "episode_index" not in evidence.rows:
        raise UnavailableError("the data files have no episode_index")
    column = evidence.rows["episode_index"]
    for row, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        owners = np.unique(column[max(0, start) : max(0, stop)])
        if stop > len(column):
            yield _episode(row), f"it ends at row {stop}, and the data files have {len(column)} rows"
        elif len(owners) and (len(owners) > 1 or owners[0] != row):
            yield _episode(row), f"the rows {start} to {stop} belong to the episodes {shortened(owners)}"


@rule("episodes-data-file", ERROR, "editing, merging and downloading take another file")
def _data_file(evidence: Evidence) -> Complaints:
    """`data/chunk_index` and `data/file_index` name the file with its rows."""
    chunks, files, starts, stops = evidence.episode_numbers(
        "data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"
    )
    _ = evidence.rows  # Only where all data files are readable do rows and files correspond.
    extents = {file.name: (file.first_row, file.first_row + file.rows) for file in evidence.data_files}
    for row in range(len(starts)):
        name = layout.DATA_PATH.format(chunk_index=chunks[row], file_index=files[row])
        if name not in extents:
            yield _episode(row), f"its data file {name} is missing"
        elif not (extents[name][0] <= starts[row] and stops[row] <= extents[name][1]):
            yield _episode(row), f"its rows {starts[row]} to {stops[row]} are not in {name}"


@rule("episodes-own-file", ERROR, "editing and merging take another file")
def _own_file(evidence: Evidence) -> Complaints:
    """`meta/episodes/chunk_index` and `file_index` name the very file."""
    _ = evidence.episodes
    for file in evidence.episode_files:
        columns = ["meta/episodes/chunk_index", "meta/episodes/file_index"]
        place = layout.Location.of(file.path)
        if place is None or any(name not in file.schema.names for name in columns):
            continue
        table = evidence.episode_rows(file)
        named = set(zip(*(table[name].to_pylist() for name in columns), strict=True))
        if named and named != {(place.chunk, place.file)}:
            yield (
                file.name,
                f"its rows name the files (chunk, file) {shortened(sorted(named, key=str))}",
            )


@rule("episodes-tasks", ERROR, "editing and merging give the rows another task")
def _tasks(evidence: Evidence) -> Complaints:
    """`tasks` are the texts of the rows' tasks."""
    starts, stops = evidence.episode_numbers("dataset_from_index", "dataset_to_index")
    texts = evidence.task_texts
    if "task_index" not in evidence.rows or "tasks" not in evidence.episodes:
        raise UnavailableError("there is no task_index, or no tasks in the episode table")
    column = evidence.rows["task_index"]
    for row, tasks in enumerate(evidence.episodes["tasks"]):
        used = np.unique(column[max(0, starts[row]) : max(0, stops[row])])
        found = {texts[int(index)] for index in used if 0 <= index < len(texts)}
        if tasks is not None and len(found) == len(used) and set(tasks) != found:
            yield (
                _episode(row),
                f"its tasks are {shortened(map(repr, tasks))}, and its rows' {shortened(map(repr, found))}",
            )


@rule("episodes-video-time", ERROR, "lerobot shows the pictures of other frames, without a word")
def _video_time(evidence: Evidence) -> Complaints:
    """In each mp4 episodes follow on each other from 0, each `length / fps` long."""
    tolerance = 0.25 / evidence.fps
    for (camera, name), segments in evidence.segments.items():
        end = 0.0
        for segment in segments:
            where = f"{_episode(segment.episode)}, {camera}"
            if abs(segment.start - end) > tolerance:
                off = (segment.start - end) * evidence.fps
                yield (
                    where,
                    f"it starts {off:+.1f} frames from the end of the one before it in {name}",
                )
            frames = (segment.stop - segment.start) * evidence.fps
            if abs(frames - segment.length) > 0.25:
                yield where, f"it lasts {frames:.1f} frames of {name}, and its length is {segment.length}"
            end = segment.stop


@rule("episodes-video-grid", WARNING, "rounding may make the reader reject frames")
def _video_grid(evidence: Evidence) -> Complaints:
    """`from_timestamp` is the time of a frame."""
    for (camera, _), segments in evidence.segments.items():
        for segment in segments:
            frames = segment.start * evidence.fps
            error = abs(frames - round(frames)) / evidence.fps
            if 1e-5 < error <= 0.25 / evidence.fps:
                yield f"{_episode(segment.episode)}, {camera}", f"from_timestamp is {error:.1e} s off a frame's time"
