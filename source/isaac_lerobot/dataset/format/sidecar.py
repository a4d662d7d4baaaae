"""Sidecar: what belongs to an episode and has no place in LeRobot, kept beside the standard files.

``isaac/episodes/chunk-000/episode_000007.json`` holds attributes (seed, environment, ...), ``.npz`` arrays
(initial state, ...), ``.parquet`` extra columns with one row per frame (states for replay, ...). lerobot
ignores all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.features import NUMBER_DTYPES, Feature
from isaac_lerobot.dataset.format.tables import numpy_chunks, read_parquet
from isaac_lerobot.errors import FeatureError

SUFFIXES = (".json", ".npz", ".parquet")
_SHAPE = b"shape"


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
    """
    root = Path(root)
    attributes = read_attributes(root, index)
    arrays: dict[str, NDArray[Any]] = {}
    frames: dict[str, NDArray[Any]] = {}
    path = root / layout.sidecar_file(index, ".npz")
    if path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            arrays = {_array_name(name): archive[name] for name in archive.files}
    path = root / layout.sidecar_file(index, ".parquet")
    if path.is_file():
        table = read_parquet(path)
        for column in table.schema:
            feature = _extra_from_field(column)
            chunks = numpy_chunks(feature, table.column(column.name))
            shape = tuple(json.loads(column.metadata[_SHAPE]))
            frames[column.name] = np.concatenate(chunks).reshape(-1, *shape)
    return Sidecar(attributes, arrays, frames)


def read_attributes(root: Path | str, index: int) -> dict[str, Any]:
    """Read the attributes of an episode alone, which is quick; empty where there are none."""
    path = Path(root) / layout.sidecar_file(index, ".json")
    if not path.is_file():
        return {}
    attributes: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return attributes


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
    with path.open("wb") as file:
        np.savez(file, **{_member_name(name): value for name, value in arrays.items()})  # type: ignore[arg-type]


def _extra_from_field(column: pa.Field) -> Feature:
    if pa.types.is_fixed_size_list(column.type):
        element, shape = column.type.value_type, (column.type.list_size,)
    else:
        element, shape = column.type, (1,)
    return Feature(column.name, next(name for name, kind in NUMBER_DTYPES.items() if kind == element), shape)


def _member_name(name: str) -> str:
    # numpy.savez takes the first positional's name "file" for itself, and names become file names in a zip.
    return "array/" + name


def _array_name(member: str) -> str:
    return member.removeprefix("array/")
