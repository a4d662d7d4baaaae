"""Rules for the rows under ``data/``."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from isaac_lerobot.dataset.check.evidence import Array, Evidence, Parquet, UnavailableError
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, TOLERANCE, WARNING, Complaints, rule
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import flat_numbers
from isaac_lerobot.dataset.format.features import NUMBER_DTYPES, Feature
from isaac_lerobot.dataset.video.decoder import still
from isaac_lerobot.errors import DatasetError


@rule("data-missing", ERROR, "lerobot finds no rows and asks the Hub for them")
def _there(evidence: Evidence) -> Complaints:
    """There is a data file."""
    if not evidence.data_files and evidence.info.get("total_frames"):
        yield "data", "there is no data file"


@rule("data-unreadable", ERROR, "lerobot does not load the dataset. Run `isaac-lerobot salvage`")
def _readable(evidence: Evidence) -> Complaints:
    """Every data file is complete, footer and all."""
    for file in evidence.data_files:
        if file.error:
            yield file.name, f"it {file.error}"
            continue
        end = max((_end_of_group(file, group) for group in range(file.footer.num_row_groups)), default=0)
        if end > file.path.stat().st_size:
            yield file.name, "its footer points behind its end"


def _end_of_group(file: Parquet, group: int) -> int:
    end = 0
    for number in range(file.footer.num_columns):
        column = file.footer.row_group(group).column(number)
        end = max(end, (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size)
    return end


@rule("data-file-extra", ERROR, "lerobot reads it as more rows, without a word. Move it out of data/")
def _unreferenced(evidence: Evidence) -> Complaints:
    """Every parquet file under `data/` holds an episode's rows."""
    chunks, files = evidence.episode_numbers("data/chunk_index", "data/file_index")
    wanted = {layout.DATA_PATH.format(chunk_index=c, file_index=f) for c, f in zip(chunks, files, strict=True)}
    for file in evidence.data_files:
        if file.name not in wanted:
            yield file.name, f"no episode lies in it, and it has {file.rows} rows"


@rule("data-column-extra", ERROR, "lerobot does not load the dataset")
def _undeclared(evidence: Evidence) -> Complaints:
    """Every column is a declared feature."""
    for file in evidence.data_files:
        if file.schema is not None and (extra := [name for name in file.schema.names if name not in evidence.stored]):
            yield file.name, f"its columns {shortened(extra)} are not among the features"


@rule("data-column-missing", ERROR, "lerobot gives empty values, or fails at the first item")
def _absent(evidence: Evidence) -> Complaints:
    """Every feature but videos has a column."""
    for file in evidence.data_files:
        if file.schema is not None and (missing := [name for name in evidence.stored if name not in file.schema.names]):
            yield file.name, f"it has no column for {shortened(missing)}"


def _columns(evidence: Evidence) -> list[tuple[Parquet, Feature, pa.DataType]]:
    """Every column of every readable data file whose feature says what it must be, with its storage type."""
    return [column for file in evidence.data_files for column in _columns_of(evidence, file)]


def _columns_of(evidence: Evidence, file: Parquet) -> list[tuple[Parquet, Feature, pa.DataType]]:
    found = []
    stored = evidence.stored
    for name in file.schema.names if file.schema is not None else ():
        feature = stored.get(name)
        if feature is not None and (feature.is_number or feature.is_text or feature.is_camera):
            kind = file.schema.field(name).type
            found.append((file, feature, kind.storage_type if isinstance(kind, pa.ExtensionType) else kind))
    return found


def _nesting(kind: pa.DataType) -> tuple[int, pa.DataType]:
    depth = 0
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth, kind


@rule("data-type", ERROR, "lerobot converts them without a word, and refuses to merge the dataset")
def _element_type(evidence: Evidence) -> Complaints:
    """Columns hold the declared dtype."""
    for file, feature, kind in _columns(evidence):
        element = _nesting(kind)[1]
        if feature.is_camera:
            right = pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}
        elif feature.is_text:
            right = pa.types.is_string(element) or pa.types.is_large_string(element)
        else:
            right = element == NUMBER_DTYPES[feature.dtype]
        if not right:
            yield f"{file.name}, {feature.name}", f"its column is of {kind}, and info.json says {feature.dtype}"


@rule("data-shape", ERROR, "lerobot does not load the dataset")
def _shape(evidence: Evidence) -> Complaints:
    """Lists have the declared shape."""
    for file, feature, kind in _columns(evidence):
        depth, _ = _nesting(kind)
        where = f"{file.name}, {feature.name}"
        if not feature.is_number or (feature.is_scalar and depth == 1):
            continue
        wanted = 0 if feature.is_scalar else len(feature.shape)
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else feature.shape[0]
        if depth != wanted or (depth and size != feature.shape[0]):
            yield where, f"its column is of {kind}, and info.json gives the shape {list(feature.shape)}"
        elif depth and not pa.types.is_fixed_size_list(kind) and (values := _values(file, feature)) not in (
            None, file.rows * feature.size
        ):  # fmt: skip
            yield where, f"{file.rows} rows of shape {list(feature.shape)} hold {values} values"


def _values(file: Parquet, feature: Feature) -> int | None:
    """How many values the column of a feature holds, as its pages are counted; None where they are not."""
    total = 0
    for group in range(file.footer.num_row_groups):
        for number in range(file.footer.num_columns):
            column = file.footer.row_group(group).column(number)
            if column.path_in_schema.split(".list.")[0] == feature.name:
                total += column.num_values
    return total


@rule("data-length-one", ERROR, "lerobot fails to read or merge it. Store it as a scalar")
def _scalar(evidence: Evidence) -> Complaints:
    """A feature of shape `[1]` is a plain column, not a list of one."""
    for file, feature, kind in _columns(evidence):
        if feature.is_scalar and not feature.is_camera and _nesting(kind)[0] == 1:
            yield f"{file.name}, {feature.name}", f"its column is of {kind}, and its shape is [1]"


@rule("data-list", WARNING, "`datasets.load_dataset` and the Hub's viewer lose their length")
def _fixed(evidence: Evidence) -> Complaints:
    """Vectors are lists of fixed size."""
    for file, feature, kind in _columns(evidence):
        if feature.is_number and len(feature.shape) == 1 and feature.shape[0] > 1 and pa.types.is_list(kind):
            yield f"{file.name}, {feature.name}", f"its column is of {kind}, a list of any length"


def _hints(file: Parquet) -> object:
    """What the ``huggingface`` metadata says of the columns; None where it is missing or unreadable."""
    try:
        return json.loads(file.schema.metadata[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return None


@rule("data-huggingface-missing", WARNING, "`datasets.load_dataset` and the Hub's viewer guess the types")
def _hinted(evidence: Evidence) -> Complaints:
    """Data files carry `huggingface` schema metadata."""
    for file in evidence.data_files:
        if file.schema is not None and not isinstance(_hints(file), dict):
            yield file.name, "its schema has no usable 'huggingface' metadata"


@rule("data-huggingface", ERROR, "`datasets.load_dataset` and the Hub's viewer fail, or see wrong types")
def _hint(evidence: Evidence) -> Complaints:
    """That metadata says what the columns and `info.json` say."""
    for file in evidence.data_files:
        hints = _hints(file) if file.schema is not None else None
        if not isinstance(hints, dict):
            continue
        if differing := sorted(set(hints) ^ set(file.schema.names)):
            yield file.name, f"its 'huggingface' metadata and its columns differ in {shortened(differing)}"
        for _, feature, _ in _columns_of(evidence, file):
            if feature.name in hints and not _same_hint(hints[feature.name], feature.huggingface()):
                yield (
                    f"{file.name}, {feature.name}",
                    f"its 'huggingface' metadata says {json.dumps(hints[feature.name])}",
                )


def _same_hint(said: object, wanted: dict[str, object]) -> bool:
    # Older `datasets` wrote Sequence for List, and large_string is what its newer versions make of string.
    text = json.dumps(said, sort_keys=True).replace('"Sequence"', '"List"').replace('"large_string"', '"string"')
    return text == json.dumps(wanted, sort_keys=True)


@rule("data-null", ERROR, "items have empty values or fail")
def _filled(evidence: Evidence) -> Complaints:
    """No value is missing."""
    for file in evidence.data_files:
        for number in range(file.footer.num_columns if file.footer is not None else 0):
            name = file.footer.schema.column(number).path
            feature = evidence.stored.get(name.split(".list.")[0].removesuffix(".bytes"))
            groups = [file.footer.row_group(group).column(number) for group in range(file.footer.num_row_groups)]
            counts = [
                group.statistics.null_count
                for group in groups
                if group.is_stats_set and group.statistics.has_null_count
            ]
            if feature is not None and feature.dtype != "language" and sum(counts):
                yield f"{file.name}, {feature.name}", f"{sum(counts)} values are missing"


def _bookkeeping(evidence: Evidence, name: str) -> Array:
    if name not in evidence.rows:
        raise UnavailableError(f"a data file has no column {name}")
    return evidence.rows[name]


def _starts(evidence: Evidence) -> Array:
    """Row numbers at which another episode begins."""
    column = _bookkeeping(evidence, "episode_index")
    return np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]])) if len(column) else np.zeros(0, np.int64)


def _place(evidence: Evidence, row: int) -> str:
    file = next(file for file in reversed(evidence.data_files) if file.first_row <= row)
    return f"{file.name}, row {row - file.first_row}"


@rule("data-index", ERROR, "lerobot's windows and padding are wrong, without a word")
def _index(evidence: Evidence) -> Complaints:
    """`index` counts 0, 1, 2 ... over the whole dataset in file order."""
    index = _bookkeeping(evidence, "index")
    wrong = np.flatnonzero(index != np.arange(len(index)))
    if len(wrong):
        row = int(wrong[0])
        restarts = "; it starts again with an episode" if index[row] == 0 and row in _starts(evidence) else ""
        yield _place(evidence, row), f"index is {index[row]} in row {row} of the dataset{restarts}"


@rule("data-episode-index", ERROR, "lerobot looks up another episode, without a word")
def _episode_index(evidence: Evidence) -> Complaints:
    """`episode_index` counts 0, 1, 2 ... with no gap and in file order."""
    column = _bookkeeping(evidence, "episode_index")
    starts = _starts(evidence)
    for number, row in enumerate(starts):
        if column[row] != number:
            yield _place(evidence, int(row)), f"episode {number} of the rows calls itself {column[row]}"
            return


def _within(evidence: Evidence) -> Array:
    """The frame number of every row inside its episode: shape (rows,)."""
    starts = _starts(evidence)
    rows = np.arange(len(_bookkeeping(evidence, "episode_index")))
    within: Array = rows - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    return within


@rule("data-frame-index", ERROR, "editing and merging go wrong")
def _frame_index(evidence: Evidence) -> Complaints:
    """`frame_index` counts 0, 1, 2 ... in each episode."""
    column, wanted = _bookkeeping(evidence, "frame_index"), _within(evidence)
    for row in np.flatnonzero(column != wanted)[:1]:
        yield _place(evidence, int(row)), f"frame_index is {column[row]} in frame {wanted[row]} of its episode"


@rule(
    "data-timestamp",
    ERROR,
    "it is where lerobot looks in the video: pictures are wrong or missing. Put real time in a column of its own",
)
def _timestamp(evidence: Evidence) -> Complaints:
    """`timestamp` is `frame_index / fps`, from 0 in each episode."""
    column = _bookkeeping(evidence, "timestamp").astype(np.float64)
    wanted = _within(evidence) / evidence.fps
    # Past 1024 s a float32 cannot come closer than this to most times.
    wrong = np.flatnonzero(~(np.abs(column - wanted) <= TOLERANCE / 2 + np.spacing(wanted.astype(np.float32))))
    if len(wrong):
        row = int(wrong[0])
        clock = "; it looks like the time of day" if column[row] > 1e8 else ""
        yield _place(evidence, row), f"timestamp is {column[row]:.6g} s in a frame at {wanted[row]:.6g} s{clock}"


@rule("data-task-index", ERROR, "items fail")
def _task_index(evidence: Evidence) -> Complaints:
    """`task_index` is a row of `meta/tasks.parquet`."""
    column = _bookkeeping(evidence, "task_index")
    for row in np.flatnonzero((column < 0) | (column >= len(evidence.task_texts)))[:1]:
        yield _place(evidence, int(row)), f"task_index is {column[row]}, and there are {len(evidence.task_texts)} tasks"


@rule("data-not-finite", WARNING, "training on it gives NaN losses")
def _finite(evidence: Evidence) -> Complaints:
    """No number is NaN or infinite."""
    for file, feature, kind in _columns(evidence):
        if feature.is_number and pa.types.is_floating(_nesting(kind)[1]):
            try:
                values = flat_numbers(file.read([feature.name])[feature.name], feature)
            except DatasetError:
                continue  # data-type, data-shape or data-null says why.
            if bad := int((~np.isfinite(values)).sum()):
                yield f"{file.name}, {feature.name}", f"{bad} values are NaN or infinite"


@rule("data-pages", ERROR, "lerobot does not load the dataset", deep=True)
def _pages(evidence: Evidence) -> Complaints:
    """Every page of every column can be read."""
    for file in evidence.data_files:
        if file.schema is not None:
            try:
                for name in file.schema.names:
                    file.read([name])
            except UnavailableError as error:
                yield file.name, str(error)


@rule("data-stills", ERROR, "training stops there", deep=True)
def _stills(evidence: Evidence) -> Complaints:
    """Every still picture can be decoded, and has the declared size."""
    for file, feature, kind in _columns(evidence):
        if feature.is_camera and pa.types.is_struct(kind):
            for row, content in enumerate(file.cells(feature.name, "bytes")):
                where = f"{file.name}, {feature.name}, row {row}"
                try:
                    still(content, feature.shape, "it")
                except DatasetError as error:
                    yield where, str(error).rstrip(".")
