"""``DemoFile``: an HDF5 file of demonstrations, as Isaac Lab, Isaac Lab Mimic and robomimic write it, read in slices.

The layout is ``data/demo_<n>/<path>``, with ``env_args`` (JSON) as an attribute of ``data`` and ``num_samples``,
``seed`` and ``success`` as attributes of a demo. The attribute ``format_version`` of the file says how quaternions
are ordered in the ``root_pose`` of states: 1 is x y z w; 0, or no such attribute, is w x y z, which is turned
while reading, as Isaac Lab's own ``HDF5DatasetFileHandler.load_episode`` does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.errors import DatasetError
from isaac_lerobot.tools.dependencies import load

Array = NDArray[Any]

FORMAT_VERSION = 1
"""Version of the layout in which quaternions are x y z w."""

ACTIONS = "actions"

_FLAGS = ("num_samples", "seed", "success")

_MOST_PACKED = 2000
"""How many times its stored size a dataset may have: gzip packs no more than 1 : 1032."""
_DIGESTED_ROWS = 65536
_SMALL = 16 * 2**20
"""Size below which it does not matter how well a dataset is packed [bytes]."""


def h5py_module() -> Any:
    """Return h5py.

    Raises:
        ConfigError: It is not installed.
    """
    return load("h5py", "Reading and writing HDF5 files")


@dataclass(frozen=True)
class Entry:
    """One dataset of a demo.

    Attributes:
        shape: Its shape as a whole.
        dtype: numpy's name of its dtype.
        slice_rows: Rows that are stored together: reading fewer at a time unpacks them again and again.
    """

    shape: tuple[int, ...]
    dtype: str
    slice_rows: int = 1

    @property
    def row_bytes(self) -> int:
        """Size of one row [bytes]."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Demo:
    """One demonstration of a :class:`DemoFile`.

    Attributes:
        name: Name of its group, e.g. ``"demo_3"``.
        length: Number of frames: the length of ``actions``, 0 where there are none.
        success: Whether it succeeded, None where the file does not say.
        seed: Seed of the environment, where the file says so.
        attributes: Its further attributes, as JSON-able values.
        columns: The datasets with one row per frame, by path (``"obs/joint_pos"``).
        others: All other datasets (``"initial_state/…"``), by path.
        texts: Paths of the datasets that hold texts, which are neither.
    """

    def __init__(self, group: Any, name: str, turn_quaternions: bool) -> None:
        self._group = group
        self._turn = turn_quaternions
        self.name = name
        entries, self.texts = _entries(group)
        self.length = entries[ACTIONS].shape[0] if ACTIONS in entries and entries[ACTIONS].shape else 0
        attributes = {key: _plain(value) for key, value in group.attrs.items()}
        success, seed = attributes.get("success"), attributes.get("seed")
        self.success: bool | None = bool(success) if isinstance(success, int | float) else None
        self.seed: int | None = int(seed) if isinstance(seed, int) else None
        self.attributes = {key: value for key, value in attributes.items() if key not in _FLAGS}
        self.columns = {path: entry for path, entry in entries.items() if self._is_column(path, entry)}
        self.others = {path: entry for path, entry in entries.items() if path not in self.columns}

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Array:
        """Read rows of a dataset, quaternions as x y z w. Shape is (stop - start, …).

        Raises:
            DatasetError: That part of the file is damaged.
        """
        with _damage(f"{path} cannot be read from row {start} on"):
            dataset = self._group[path]
            values: Array = np.asarray(dataset[start:stop] if dataset.shape else dataset[()])
        # What follows knows the machine's own order of bytes only.
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if self._turn and path.rpartition("/")[2] == "root_pose" and values.shape[-1:] == (7,):
            values = values[..., [0, 1, 2, 4, 5, 6, 3]]
        return values

    def digest(self) -> str:
        """Return a short hash of the actions, and of the first and last row of everything else.

        Tells a demo from another one of the same name, also where the same actions were rendered anew.
        """
        found = hashlib.sha256()
        for start in range(0, self.length, _DIGESTED_ROWS):
            found.update(np.ascontiguousarray(self.read(ACTIONS, start, start + _DIGESTED_ROWS)).tobytes())
        for path, entry in sorted(self.columns.items()):
            found.update(f"{path} {entry.shape} {entry.dtype}".encode())
            for row in (0, entry.shape[0] - 1):
                found.update(np.ascontiguousarray(self.read(path, row, row + 1)).tobytes())
        return found.hexdigest()[:16]

    def _is_column(self, path: str, entry: Entry) -> bool:
        # An initial state has one row too where the demo is a single frame long.
        first = path.partition("/")[0]
        return first != "initial_state" and len(entry.shape) >= 1 and entry.shape[0] == self.length > 0


class DemoFile:
    """An open HDF5 file of demonstrations. A context manager.

    Args:
        path: The file.

    Attributes:
        path: The file.
        format_version: See the module.
        env_args: What the file says of the environment: ``env_name``, ``sim_args``, …
        names: Names of its demos in their natural order (``demo_2`` before ``demo_10``).

    Raises:
        ConfigError: h5py is not installed.
        DatasetError: The file is missing, damaged, or holds no demonstrations.
    """

    def __init__(self, path: Path) -> None:
        h5py = h5py_module()
        self.path = path
        if not path.is_file():
            raise DatasetError(f"{path} does not exist." if not path.exists() else f"{path} is not a file.")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise DatasetError(f"{path} cannot be read as an HDF5 file: {error}.") from None
        try:
            with _damage(f"{path} cannot be read"):
                self._look(h5py)
        except DatasetError:
            self.close()
            raise

    def _look(self, h5py: Any) -> None:
        self._data = self._file.get("data")
        if not isinstance(self._data, h5py.Group):
            raise DatasetError(f"{self.path} holds no demonstrations: it has no group 'data'.")
        version = _plain(self._file.attrs.get("format_version", 0))
        if not isinstance(version, int):
            raise DatasetError(f"{self.path} has no number as its format_version: {version!r}.")
        self.format_version = version
        self.env_args = _json(self._data.attrs.get("env_args"))
        self.names: list[str] = sorted((name for name in self._data if self._may_be_demo(name)), key=_natural)

    def _may_be_demo(self, name: str) -> bool:
        """Whether it is a group, or cannot be told; :meth:`demo` says why not."""
        h5py = h5py_module()
        if isinstance(self._data.get(name, getlink=True), h5py.ExternalLink):
            return True
        try:
            return isinstance(self._data[name], h5py.Group)
        except Exception:  # noqa: BLE001 - see _damage
            return True

    def demo(self, name: str) -> Demo:
        """Return one demo.

        Raises:
            DatasetError: A part of the file is damaged.
        """
        with _damage(f"{name} cannot be read"):
            h5py = h5py_module()
            if isinstance(self._data.get(name, getlink=True), h5py.ExternalLink):
                raise DatasetError(f"{name} is in another file. Convert that one.")
            return Demo(self._data[name], name, turn_quaternions=self.format_version < FORMAT_VERSION)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def __enter__(self) -> DemoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _entries(group: Any) -> tuple[dict[str, Entry], list[str]]:
    h5py = h5py_module()
    entries: dict[str, Entry] = {}
    texts: list[str] = []

    def visit(path: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        if item.dtype.kind not in "biuf":
            texts.append(path)
            return
        _need_own_values(path, item)
        rows = item.chunks[0] if item.chunks else 1
        entries[path] = Entry(tuple(item.shape), item.dtype.name, rows)

    group.visititems(visit)
    return entries, texts


def _need_own_values(path: str, dataset: Any) -> None:
    """Make sure that the values are in the file, and no more of them than it can hold.

    Raises:
        DatasetError: They are not.
    """
    if dataset.external or dataset.is_virtual:
        raise DatasetError(f"the values of {path} are in another file")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(_SMALL, _MOST_PACKED * stored):
        raise DatasetError(f"{path} says that it has {dataset.nbytes} bytes, and {stored} are stored")


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Say what is damaged, whatever h5py raises: of a file's content anything may be wrong.

    Raises:
        DatasetError: Something is.
    """
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(f"{what}: {error}") from error


def _json(text: Any) -> dict[str, Any]:
    try:
        values = json.loads(text) if text is not None else {}
    except (TypeError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _plain(value: Any) -> Any:
    """Return an attribute as JSON has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _natural(name: str) -> list[tuple[int, str | int]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]
