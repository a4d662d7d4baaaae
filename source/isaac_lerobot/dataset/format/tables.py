"""Tables: rows of a frame table on their way into parquet.

numpy arrays become arrow arrays through their buffers: pyarrow's own conversion would import pandas where it is
installed, which takes seconds in the middle of a recording.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature, columns_of
from isaac_lerobot.dataset.format.png import encode_png

_CHUNK_BYTES = 2**20
_CHUNK_ROWS = 256
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


def numpy_chunks(feature: Feature, column: pa.ChunkedArray) -> list[NDArray[Any]]:
    """Return the rows of a column of numbers without nulls as arrays ``(rows, *feature.shape)``, one per chunk."""
    chunks = []
    for chunk in column.chunks:
        rows = len(chunk)
        while not pa.types.is_primitive(chunk.type):
            chunk = chunk.flatten()
        chunks.append(_numpy(chunk, np.dtype(feature.dtype)).reshape(rows, *feature.shape))
    return chunks


def huggingface_metadata(columns: Mapping[str, Feature]) -> dict[bytes, bytes]:
    """Return the schema metadata by which the `datasets` library knows the true types."""
    described = {"info": {"features": {name: feature.huggingface() for name, feature in columns.items()}}}
    return {b"huggingface": json.dumps(described).encode()}


def data_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of the data files."""
    columns = columns_of(features)
    return pa.schema([feature.arrow_field() for feature in columns.values()], huggingface_metadata(columns))


class RowBuffer:
    """Collects the rows of one episode, in memory bounded by about 1 MB whatever its length.

    Full chunks go to a file (an arrow stream); short episodes never touch it.

    Args:
        path: The file for the chunks.
        features: The columns; ``video`` features are left out.
    """

    def __init__(self, path: Path, features: Mapping[str, Feature]) -> None:
        self._path = path
        self._features = {name: feature for name, feature in features.items() if not feature.is_video}
        self._schema = pa.schema([feature.arrow_field() for feature in self._features.values()])
        size = sum(
            feature.size * np.dtype(feature.dtype).itemsize if feature.is_number else feature.size
            for feature in self._features.values()
        )
        self._room = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // max(1, size)))
        self._chunk: dict[str, Any] = {
            name: np.empty((self._room, *feature.shape), feature.dtype) if feature.is_number else [None] * self._room
            for name, feature in self._features.items()
        }
        self._used = 0
        self._sink: pa.OSFile | None = None
        self._stream: pa.ipc.RecordBatchStreamWriter | None = None
        self.rows = 0

    def append(self, values: Mapping[str, Any]) -> None:
        """Copy one row; values as :class:`features.FrameCheck` returns them.

        Raises:
            OSError: A full chunk could not be written.
        """
        if self._used == self._room:
            self._flush()
        for name, feature in self._features.items():
            value = values[name]
            self._chunk[name][self._used] = encode_png(value) if feature.is_camera else value
        self._used += 1
        self.rows += 1

    def extend(self, values: Mapping[str, NDArray[Any]], rows: int) -> None:
        """Copy several rows of numbers.

        Args:
            values: By column, shape ``(rows, …)`` of the column's dtype.
            rows: How many.

        Raises:
            OSError: A full chunk could not be written.
        """
        done = 0
        while done < rows:
            if self._used == self._room:
                self._flush()
            count = min(rows - done, self._room - self._used)
            for name in self._features:
                self._chunk[name][self._used : self._used + count] = values[name][done : done + count]
            self._used += count
            done += count
        self.rows += rows

    def table(self) -> pa.Table:
        """End the rows and return all of them; chunks in the file are mapped, not read."""
        last = self._batch()
        if self._stream is None:
            return pa.Table.from_batches([last], self._schema)
        self._stream.write_batch(last)
        self._end_stream()
        return pa.ipc.open_stream(pa.memory_map(str(self._path))).read_all()

    def close(self) -> None:
        """End without a result; the file stays where it is."""
        self._end_stream()

    def _flush(self) -> None:
        if self._stream is None:
            self._sink = pa.OSFile(str(self._path), "wb")
            self._stream = pa.ipc.new_stream(self._sink, self._schema)
        self._stream.write_batch(self._batch())
        self._used = 0

    def _batch(self) -> pa.RecordBatch:
        arrays = [
            # A copy: the chunk is filled again while arrow still holds the array.
            arrow_array(feature, self._chunk[name][: self._used].copy())
            for name, feature in self._features.items()
        ]
        if not arrays:
            return pa.RecordBatch.from_arrays([], schema=self._schema)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _end_stream(self) -> None:
        if self._stream is not None and self._sink is not None and not self._sink.closed:
            self._stream.close()
            self._sink.close()


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


def write_parquet(path: Path, tables: Iterator[pa.Table] | Sequence[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema to a parquet file, each a row group (very large ones several)."""
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=True, version="2.6") as writer:
        for table in tables:
            per_row = max(1, table.nbytes // max(1, len(table)))
            writer.write_table(table, row_group_size=max(1, _ROW_GROUP_BYTES // per_row))


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a parquet file; unlike pyarrow's ``read_table`` this never imports pandas."""
    with pq.ParquetFile(path) as file:
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


def _numpy(array: pa.Array, dtype: np.dtype[Any]) -> NDArray[Any]:
    content = array.buffers()[1]
    if content is None:
        return np.zeros(0, dtype)
    if dtype == np.bool_:
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        return bits[array.offset : array.offset + len(array)].astype(bool)
    return np.frombuffer(content, dtype)[array.offset : array.offset + len(array)]
