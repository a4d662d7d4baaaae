"""Demos in blocks of rows, read here or by another process: what a conversion holds in memory at a time."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from isaac_lerobot.errors import DatasetError
from isaac_lerobot.tools.demo_file import Array, Demo, DemoFile

BLOCK_BYTES = 24 * 2**20
"""About how much of a demo is read at a time [bytes]."""

_BLOCK_ROWS = 512

Block = dict[str, Array]


@dataclass(frozen=True)
class DemoName:
    """A demo of one of several files."""

    file: Path
    name: str

    def __str__(self) -> str:
        return f"{self.file.name}/{self.name}"


def read_blocks(demo: Demo, paths: Sequence[str]) -> Iterator[Block]:
    """Read a demo's columns, as many rows at a time as :data:`BLOCK_BYTES` holds.

    Yields:
        Rows by path, shape ``(n, …)`` with the same n for all.

    Raises:
        DatasetError: Part of the file is damaged.
    """
    rows = _rows(demo, paths)
    for start in range(0, demo.length, rows):
        yield {path: demo.read(path, start, min(start + rows, demo.length)) for path in paths}


def _rows(demo: Demo, paths: Sequence[str]) -> int:
    """How many rows to read at a time: no more than fit, in whole slices of what is stored together."""
    entries = [demo.columns[path] for path in paths]
    fit = max(1, min(_BLOCK_ROWS, BLOCK_BYTES // max(1, sum(entry.row_bytes for entry in entries))))
    # The widest column costs most to unpack, so its slices decide.
    stored = max(entries, key=lambda entry: entry.row_bytes).slice_rows
    return fit - fit % stored if stored <= fit else fit


class LocalReader:
    """Reads demos in this process."""

    def blocks(self, demo: DemoName, paths: Sequence[str]) -> Iterator[Block]:
        """See :func:`read_blocks`."""
        with DemoFile(demo.file) as file:
            yield from read_blocks(file.demo(demo.name), paths)

    def close(self) -> None:
        """Nothing is held."""


class WorkerReader:
    """Reads demos in a process of its own, one block ahead of whoever asks."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="demo reader", daemon=True)
        self._process.start()
        theirs.close()

    def blocks(self, demo: DemoName, paths: Sequence[str]) -> Iterator[Block]:
        """See :func:`read_blocks`.

        Raises:
            DatasetError: Part of the file is damaged, or the process has died.
        """
        try:
            self._connection.send((demo, list(paths)))
            while (answer := self._connection.recv()) is not None:
                if isinstance(answer, str):
                    raise DatasetError(answer)
                yield answer
        except (EOFError, OSError) as error:
            code = self._process.exitcode
            raise DatasetError(f"The process that reads {demo} has died (exit code {code}).") from error

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()


def _serve(connection: Connection) -> None:
    """Answer requests until the other side hangs up: blocks, then None; or a text that says what went wrong."""
    # Ctrl+C is for who converts, and ends this process in order; a reader that dies looks like a damaged demo.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader = LocalReader()
    try:
        while True:
            demo, paths = connection.recv()
            try:
                for block in reader.blocks(demo, paths):
                    connection.send({path: np.ascontiguousarray(values) for path, values in block.items()})
                connection.send(None)
            except DatasetError as error:
                connection.send(str(error))
    except (EOFError, OSError):
        return
