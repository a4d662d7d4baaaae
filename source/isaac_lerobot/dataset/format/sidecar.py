"""Sidecar: what belongs to an episode and has no place in LeRobot, kept beside the standard files.

``isaac/episodes/chunk-000/episode_000007.json`` holds attributes (seed, environment, ...), ``.npz`` arrays
(initial state, ...), ``.parquet`` extra columns with one row per frame (states for replay, ...). lerobot
ignores all of it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import as_array, read_parquet
from isaac_lerobot.dataset.format.features import NUMBER_DTYPES, Feature
from isaac_lerobot.dataset.format.json_file import read_json_if_there
from isaac_lerobot.errors import DatasetError, FeatureError, first_line

_SHAPE = b"shape"
_MEMBER = "array/"
"""In front of an array's name in the archive."""


@dataclass(frozen=True)
class Sidecar:
    """Our own data of one episode.

    Attributes:
        attributes: What was given to ``begin_episode`` and ``save`` as attributes.
        arrays: What was given to ``save`` as arrays, by name.
        frames: Extra columns, arrays ``(length, *shape)`` by name.
    """

    attributes: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    frames: dict[str, NDArray[Any]]


def read_sidecar(root: Path | str, index: int) -> Sidecar:
    """Read our own data of an episode; whatever is not there is empty.

    Args:
        root: Folder of the dataset.
        index: Index of the episode.

    Raises:
        DatasetError: Something is there that cannot be read.
    """
    root = Path(root)
    return Sidecar(read_attributes(root, index), _read_arrays(root, index), _read_frames(root, index))


def read_attributes(root: Path | str, index: int) -> dict[str, Any]:
    """Read the attributes of an episode alone, which is quick; empty where there are none.

    Raises:
        DatasetError: They cannot be read.
    """
    return read_json_if_there(Path(root) / layout.sidecar_file(index, ".json"))


def extra_features(extra: Mapping[str, Any]) -> dict[str, Feature]:
    """Return the columns for a frame's extra values, flat vectors whatever their shape.

    Raises:
        FeatureError: A value is not numeric.
    """
    features = {}
    for name, value in extra.items():
        array = np.asarray(value)
        if array.dtype.name not in NUMBER_DTYPES:
            raise FeatureError(f"The extra value {name!r} is {array.dtype}; numbers and booleans can be kept.")
        if array.size == 0:
            raise FeatureError(f"The extra value {name!r} is empty.")
        features[name] = Feature(name, array.dtype.name, (array.size,))
    return features


def extra_schema(features: Mapping[str, Feature], shapes: Mapping[str, tuple[int, ...]]) -> pa.Schema:
    """Return the schema of the extra columns; each field's metadata says the true shape."""
    return pa.schema(
        [
            feature.arrow_field().with_metadata({_SHAPE: json.dumps(list(shapes[name])).encode()})
            for name, feature in features.items()
        ]
    )


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to an ``.npz`` file. Names may hold ``/``."""
    # What numpy.savez writes; it has names of its own that no array may have.
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{_MEMBER}{name}.npy", "w", force_zip64=True) as file:
                np.save(file, value, allow_pickle=False)


def _read_arrays(root: Path, index: int) -> dict[str, NDArray[Any]]:
    path = root / layout.sidecar_file(index, ".npz")
    if not path.is_file():
        return {}
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                # We compress nothing, and unpacking what claims to be larger than its file could fill the memory.
                if member.compress_type != zipfile.ZIP_STORED:
                    raise DatasetError(f"{path} is compressed, which our arrays are not.")
                with archive.open(member) as file:
                    array = np.load(file, allow_pickle=False)
                if not isinstance(array, np.ndarray):
                    raise DatasetError(f"{path} holds {member.filename}, which is no array.")
                arrays[member.filename.removesuffix(".npy").removeprefix(_MEMBER)] = array
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} cannot be read ({first_line(error)}).") from error
    return arrays


def _read_frames(root: Path, index: int) -> dict[str, NDArray[Any]]:
    path = root / layout.sidecar_file(index, ".parquet")
    if not path.is_file():
        return {}
    table = read_parquet(path)
    frames = {}
    for column in table.schema:
        try:
            shape = tuple(json.loads(column.metadata[_SHAPE]))
            values = as_array(table.column(column.name), _extra_from_field(column))
            frames[column.name] = values.reshape(len(table), *shape)
        except (TypeError, ValueError, KeyError) as error:
            raise DatasetError(f"{path}: {column.name} does not say its shape and dtype.") from error
    return frames


def _extra_from_field(column: pa.Field) -> Feature:
    fixed = pa.types.is_fixed_size_list(column.type)
    element, size = (column.type.value_type, column.type.list_size) if fixed else (column.type, 1)
    dtypes = {kind: name for name, kind in NUMBER_DTYPES.items()}
    return Feature(column.name, dtypes[element], (size,))
