"""Rows: those of an episode on their way into parquet, in memory of fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.columns import arrow_array
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.png import encode_png

_CHUNK_BYTES = 2**20
_CHUNK_ROWS = 256


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
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _end_stream(self) -> None:
        if self._stream is not None and self._sink is not None and not self._sink.closed:
            self._stream.close()
            self._sink.close()
