"""Columns: features as parquet columns, from numpy arrays and back, and the files that hold them.

numpy arrays become arrow arrays through their buffers: pyarrow's own conversion would import pandas where it is
installed, which takes seconds in the middle of a recording.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.features import BOOKKEEPING, NUMBER_DTYPES, Feature, columns_of
from isaac_lerobot.errors import DatasetError, first_line

Array = NDArray[Any]

_ROW_GROUP_BYTES = 64 * 2**20
_NUMPY_DTYPES = {pa.from_numpy_dtype(code): np.dtype(code) for code in "?bhiqBHIQefd"}
"""Arrow's own way from its types to numpy's demands pandas before pyarrow 26."""


def arrow_array(feature: Feature, values: NDArray[Any] | Sequence[Any]) -> pa.Array:
    """Return rows of a feature as an arrow array of its parquet type.

    Args:
        feature: Any but a ``video`` feature.
        values: Numbers: an array ``(rows, *feature.shape)``; strings: a sequence of str; ``image``: a sequence
            of encoded PNG files.
    """
    column = feature.arrow_field().type
    if feature.is_text:
        return python_array(column, list(values))
    if feature.is_camera:
        files = python_array(pa.binary(), list(values))
        paths = python_array(pa.string(), [None] * len(values))
        return pa.StructArray.from_arrays([files, paths], fields=list(column))
    numbers = np.ascontiguousarray(values)
    rows = len(numbers)
    array = _flat_array(numbers.reshape(-1))
    if feature.is_scalar:
        return array
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(array, type=column)
    kinds = [column]
    for _ in feature.shape[1:]:
        kinds.append(kinds[-1].value_type)
    for level in range(len(feature.shape), 0, -1):
        length = feature.shape[level - 1]
        count = rows * int(np.prod(feature.shape[: level - 1]))
        offsets = _flat_array(np.arange(count + 1, dtype=np.int32) * np.int32(length))
        array = pa.ListArray.from_arrays(offsets, array, type=kinds[level - 1])
    return array


def python_array(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """Return Python values as an arrow array; None is null.

    Args:
        kind: Number, bool, string, binary, or (nested) list of these.
        values: The values; sequences for lists.
    """
    present = np.array([value is not None for value in values], np.bool_)
    validity = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        raw = [value.encode() if isinstance(value, str) else value or b"" for value in values]
        buffers = [validity, _offsets(raw), pa.py_buffer(b"".join(raw))]
        return pa.Array.from_buffers(kind, len(raw), buffers)
    if pa.types.is_list(kind):
        lists = [[] if value is None else value for value in values]
        inside = python_array(kind.value_type, [element for value in lists for element in value])
        return pa.Array.from_buffers(kind, len(lists), [validity, _offsets(lists)], children=[inside])
    numbers = np.array([0 if value is None else value for value in values], _NUMPY_DTYPES[kind])
    if pa.types.is_boolean(kind):
        content = pa.py_buffer(np.packbits(numbers, bitorder="little").tobytes())
    else:
        content = pa.py_buffer(numbers)
    return pa.Array.from_buffers(kind, len(numbers), [validity, content])


def numpy_chunks(feature: Feature, column: pa.ChunkedArray) -> Iterator[Array]:
    """Yield the rows of a column of numbers as arrays ``(rows, *feature.shape)`` of its dtype, one per chunk.

    Scalars, fixed-size lists, lists and lists of lists are understood, and other number types are converted, as
    lerobot does.

    Raises:
        DatasetError: The values are not of the feature's shape or dtype, or some are missing.
    """
    for chunk in column.chunks:
        values = _flat_numbers(feature, chunk)
        if values.size != len(chunk) * feature.size:
            raise DatasetError(
                f"{feature.name}: info.json gives the shape {list(feature.shape)}, and {len(chunk)} rows hold "
                f"{values.size} values. Run `isaac-lerobot check` on the dataset."
            )
        yield values.reshape(len(chunk), *feature.shape)


def as_array(column: pa.ChunkedArray, feature: Feature) -> Array:
    """Return the values of ``column``: shape (rows,) for features of shape [1], else (rows, *shape).

    Texts, and whatever else is no number, come as an array of ``object``.

    Raises:
        DatasetError: As :func:`numpy_chunks`.
    """
    if not feature.is_number:
        texts = np.empty(len(column), object)
        texts[:] = python_values(column)
        return texts
    chunks = list(numpy_chunks(feature, column))
    values: Array = (
        chunks[0] if len(chunks) == 1 else np.concatenate([np.empty((0, *feature.shape), feature.dtype), *chunks])
    )
    return values.reshape(len(column)) if feature.is_scalar else values


def python_values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column as Python objects.

    Raises:
        DatasetError: Some are none, such as a text with wrong bytes in it.
    """
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, LookupError, ImportError, pa.ArrowException) as error:
        raise DatasetError(f"A column of {column.type} holds what is none ({first_line(error)}).") from error
    return values


def flat_numbers(column: pa.ChunkedArray, feature: Feature) -> Array:
    """Return all numbers of a column in a row, in the feature's dtype, however they are nested: shape (values,).

    Raises:
        DatasetError: The column holds something else, or values are missing.
    """
    return np.concatenate([np.empty(0, feature.dtype), *(_flat_numbers(feature, chunk) for chunk in column.chunks)])


def huggingface_metadata(columns: Mapping[str, Feature]) -> dict[bytes, bytes]:
    """Return the schema metadata by which the `datasets` library knows the true types."""
    described = {"info": {"features": {name: feature.huggingface() for name, feature in columns.items()}}}
    return {b"huggingface": json.dumps(described).encode()}


def data_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of the data files."""
    columns = columns_of(features)
    return pa.schema([feature.arrow_field() for feature in columns.values()], huggingface_metadata(columns))


def frame_table(rows: pa.Table, features: Mapping[str, Feature], bookkeeping: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Return the data table of an episode.

    Args:
        rows: The episode's own columns.
        features: The dataset's features, without bookkeeping.
        bookkeeping: The five bookkeeping columns, each ``(length,)``.
    """
    schema = data_schema(features)
    columns = []
    for name in schema.names:
        if name in BOOKKEEPING:
            columns.append(pa.chunked_array([arrow_array(BOOKKEEPING[name], bookkeeping[name])]))
        else:
            columns.append(rows.column(name))
    return pa.Table.from_arrays(columns, schema=schema)


def bookkeeping_columns(
    length: int, fps: int, episode_index: int, first_index: int, task_index: int
) -> dict[str, NDArray[Any]]:
    """Return the bookkeeping columns of an episode, each ``(length,)``; ``timestamp`` [s] is ``frame_index / fps``."""
    frame_index = np.arange(length, dtype=np.int64)
    return {
        "timestamp": (frame_index / fps).astype(np.float32),
        "frame_index": frame_index,
        "episode_index": np.full(length, episode_index, np.int64),
        "index": frame_index + first_index,
        "task_index": np.full(length, task_index, np.int64),
    }


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema to a parquet file, each a row group (very large ones several)."""
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=True, version="2.6") as writer:
        for table in tables:
            per_row = max(1, table.nbytes // max(1, len(table)))
            writer.write_table(table, row_group_size=max(1, _ROW_GROUP_BYTES // per_row))


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a parquet file; unlike pyarrow's ``read_table`` this never imports pandas.

    Raises:
        DatasetError: It is missing, or cannot be read: when it is opened, or while the block reads.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing.")
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DatasetError(f"{path} cannot be read ({first_line(error)}).") from error


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a parquet file, some columns of it or all.

    Raises:
        DatasetError: It is missing, cannot be read, or lacks a column.
    """
    with opened(path) as file:
        if missing := sorted(set(columns or ()) - set(file.schema_arrow.names)):
            raise DatasetError(f"{path} lacks {', '.join(missing)}.")
        return file.read(columns=None if columns is None else list(columns))


def warm_up() -> None:
    """Run the conversions once, so that what they load lazily is loaded before a recording starts."""
    feature = Feature("warm", "float32", (2,))
    table = pa.table({"warm": arrow_array(feature, np.zeros((1, 2), np.float32))})
    with pa.BufferOutputStream() as sink, pq.ParquetWriter(sink, table.schema) as writer:
        writer.write_table(table)


def _flat_array(values: NDArray[Any]) -> pa.Array:
    if values.dtype == np.bool_:
        packed = pa.py_buffer(np.packbits(values, bitorder="little").tobytes())
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, packed])
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _offsets(values: Sequence[Any]) -> pa.Buffer:
    # Not np.cumsum(..., out=…): with an out of another dtype, numpy 2.3 loses some memory at each call.
    running = itertools.accumulate(map(len, values), initial=0)
    return pa.py_buffer(np.fromiter(running, np.int32, len(values) + 1))


def _flat_numbers(feature: Feature, array: pa.Array) -> Array:
    wanted = NUMBER_DTYPES[feature.dtype]
    kind = array.type
    array = array.storage if isinstance(array, pa.ExtensionArray) else array
    missing = array.null_count
    while pa.types.is_nested(array.type) and not pa.types.is_struct(array.type):
        array = array.flatten()
        missing += array.null_count
    if missing:
        raise DatasetError(f"{feature.name}: {missing} of its values are missing in the data file.")
    try:
        return _numpy(array if array.type == wanted else array.cast(wanted), np.dtype(feature.dtype))
    except pa.ArrowException as error:
        raise DatasetError(f"{feature.name}: its column is of {kind}, not of {feature.dtype}.") from error


def _numpy(array: pa.Array, dtype: np.dtype[Any]) -> NDArray[Any]:
    content = array.buffers()[1]
    if content is None:
        return np.zeros(0, dtype)
    if dtype == np.bool_:
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        return bits[array.offset : array.offset + len(array)].astype(bool)
    return np.frombuffer(content, dtype)[array.offset : array.offset + len(array)]
