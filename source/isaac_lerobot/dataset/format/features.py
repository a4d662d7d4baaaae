"""Features: what a frame consists of, checked once when a dataset is made and once per frame.

A feature definition is lerobot's own: ``{"dtype": ..., "shape": ..., "names": ...}``. This module turns
definitions into :class:`Feature` objects, adds the five bookkeeping features, and checks frames against them.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from isaac_lerobot.errors import FeatureError, nearest

NUMBER_DTYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}
"""Names of number dtypes a feature may have, with their arrow types."""

CAMERA_NAMES = ("height", "width", "channels")
_CAMERA_DTYPES = ("video", "image")
MAX_DIMENSIONS = 5
"""Of the values of a feature: lerobot has arrays of up to five dimensions."""
_MOST_VALUES = 2**28
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Feature:
    """One named part of a frame.

    Attributes:
        name: Name of the feature, e.g. ``observation.state``. Holds no ``/``.
        dtype: A numpy dtype name, ``string``, ``video`` (mp4) or ``image`` (stills, PNG).
        shape: Shape of one value; ``(1,)`` for scalars and strings, ``(H, W, 3)`` for cameras.
        names: Names of the elements, or None.
        info: lerobot's ``info`` block of a camera (codec, size, ...), or None.
        extra: Further keys of the definition, which are kept.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    names: Any = None
    info: Mapping[str, Any] | None = field(default=None, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def is_video(self) -> bool:
        """Whether the pictures of this feature lie in mp4 files."""
        return self.dtype == "video"

    @property
    def is_camera(self) -> bool:
        """Whether a value is a picture."""
        return self.dtype in _CAMERA_DTYPES

    @property
    def is_depth(self) -> bool:
        """Whether the pictures hold distances."""
        info = self.info or {}
        return bool(info.get("is_depth_map") or info.get("video.is_depth_map"))

    @property
    def is_text(self) -> bool:
        """Whether a value is a string."""
        return self.dtype == "string"

    @property
    def is_number(self) -> bool:
        """Whether a value is a number or an array of numbers in a parquet column."""
        return self.dtype in NUMBER_DTYPES

    @property
    def has_statistics(self) -> bool:
        """Whether lerobot keeps statistics of it: of numbers and pictures, not of texts."""
        return self.is_number or self.is_camera

    @property
    def is_scalar(self) -> bool:
        """Whether the parquet column is a plain one: shape ``(1,)`` is stored as a scalar, never as a list."""
        return self.shape == (1,)

    @property
    def size(self) -> int:
        """Number of elements of one value."""
        return int(np.prod(self.shape))

    def definition(self) -> dict[str, Any]:
        """Return the feature as it stands in ``info.json``."""
        names = list(self.names) if isinstance(self.names, tuple) else self.names
        entry: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "names": names}
        if self.info is not None:
            entry["info"] = dict(self.info)
        return entry | dict(self.extra)

    def arrow_field(self) -> pa.Field:
        """Return the parquet column of this feature (not for ``video``, which has none)."""
        if self.dtype == "image":
            return pa.field(self.name, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
        if self.is_text:
            return pa.field(self.name, pa.string())
        element = NUMBER_DTYPES[self.dtype]
        if self.is_scalar:
            return pa.field(self.name, element)
        if len(self.shape) == 1:
            return pa.field(self.name, pa.list_(pa.field("element", element), self.shape[0]))
        nested = element
        for _ in self.shape:
            nested = pa.list_(pa.field("element", nested))
        # The `datasets` library recognises its own extension type by these two keys; the extension class
        # itself lives there and is not needed for writing.
        extension = {
            b"ARROW:extension:name": f"datasets.features.features.Array{len(self.shape)}DExtensionType".encode(),
            b"ARROW:extension:metadata": json.dumps([list(self.shape), self.dtype]).encode(),
        }
        return pa.field(self.name, nested, metadata=extension)

    def huggingface(self) -> dict[str, Any]:
        """Return the column's entry in the ``huggingface`` schema metadata."""
        if self.dtype == "image":
            return {"_type": "Image"}
        value = {"dtype": self.dtype, "_type": "Value"}
        if self.is_text or self.is_scalar:
            return value
        if len(self.shape) == 1:
            return {"feature": value, "length": self.shape[0], "_type": "List"}
        return {"shape": list(self.shape), "dtype": self.dtype, "_type": f"Array{len(self.shape)}D"}


BOOKKEEPING: dict[str, Feature] = {
    name: Feature(name, dtype, (1,))
    for name, dtype in (
        ("timestamp", "float32"),
        ("frame_index", "int64"),
        ("episode_index", "int64"),
        ("index", "int64"),
        ("task_index", "int64"),
    )
}
"""The five features that every dataset has and that the writer fills in."""


def parse_features(definitions: Mapping[str, Any]) -> dict[str, Feature]:
    """Turn the definitions of what is to be recorded into features, in the given order, without the bookkeeping ones.

    Args:
        definitions: Maps a name to ``{"dtype", "shape", "names"}`` as in lerobot; ``names`` may be left out.
            Bookkeeping features are accepted, as they stand in ``info.json``, and left out of the result.

    Raises:
        FeatureError: Names every definition that cannot be used, and why.
    """
    problems: list[str] = []
    features: dict[str, Feature] = {}
    for name, definition in definitions.items():
        if name in BOOKKEEPING:
            continue
        try:
            features[name] = _recordable(read_feature(_name(name), definition))
        except FeatureError as error:
            problems.append(str(error))
    if not features and not problems:
        problems.append("there are no features; give at least one besides the bookkeeping ones")
    if problems:
        raise FeatureError("Cannot use the features: " + "; ".join(problems) + ".")
    return features


def read_features(definitions: object) -> dict[str, Feature]:
    """Turn the definitions that stand in an ``info.json`` into features, the bookkeeping ones too.

    Raises:
        FeatureError: Says of the first definition that cannot be understood why, as a clause.
    """
    if not isinstance(definitions, Mapping):
        raise FeatureError("has no usable features")
    return {_name(name): read_feature(name, definition) for name, definition in definitions.items()}


def read_feature(name: str, definition: object) -> Feature:
    """Turn one definition into a feature, whatever its dtype: others record what we cannot.

    Raises:
        FeatureError: It has no dtype, or no shape.
    """
    if not isinstance(definition, Mapping) or "dtype" not in definition or "shape" not in definition:
        raise FeatureError(f"{name!r} needs a mapping with 'dtype', 'shape' and 'names'")
    try:
        shape = tuple(operator.index(length) for length in definition["shape"])
        dtype = _dtype_name(definition["dtype"])
    except (TypeError, ValueError):
        given = f"dtype {definition['dtype']!r} and shape {definition['shape']!r}"
        raise FeatureError(f"{name!r} has {given}; a dtype's name and a sequence of ints are needed") from None
    if not 1 <= len(shape) <= MAX_DIMENSIONS or min(shape) < 1:
        raise FeatureError(
            f"{name!r} has shape {shape}; 1 to {MAX_DIMENSIONS} positive lengths are needed, (1,) for a scalar"
        )
    if math.prod(shape) > _MOST_VALUES:
        raise FeatureError(f"{name!r} has shape {shape}, more than {_MOST_VALUES} values in a frame")
    info = definition.get("info")
    if info is not None and not isinstance(info, Mapping):
        raise FeatureError(f"{name!r} has an info that is a {type(info).__name__}, not an object")
    extra = {key: value for key, value in definition.items() if key not in ("dtype", "shape", "names", "info")}
    return Feature(name, dtype, shape, _frozen(definition.get("names")), info, extra)


def _name(name: object) -> str:
    """Return the name of a feature if files and folders can have it.

    Raises:
        FeatureError: They cannot.
    """
    if not isinstance(name, str) or not name or "/" in name or not name.isprintable() or name in (".", ".."):
        raise FeatureError(f"{name!r} is no feature name (a non-empty printable text without '/')")
    if len(name) > _LONGEST_NAME:
        raise FeatureError(f"{name[:20]!r}... is longer than {_LONGEST_NAME} characters")
    return name


def _dtype_name(dtype: object) -> str:
    if isinstance(dtype, type | np.dtype):
        return str(np.dtype(dtype))
    if not isinstance(dtype, str):
        raise TypeError(f"{dtype!r} is no dtype")
    return dtype


def unrecordable(features: Mapping[str, Feature]) -> list[str]:
    """Say in sentences which features of a dataset this package cannot record."""
    found = []
    for feature in features.values():
        try:
            _recordable(feature)
        except FeatureError as error:
            found.append(str(error))
    return found


def columns_of(features: Mapping[str, Feature]) -> dict[str, Feature]:
    """Return the features that have a parquet column, bookkeeping ones last."""
    own = {name: feature for name, feature in features.items() if not feature.is_video}
    return own | BOOKKEEPING


def differences(wanted: Mapping[str, Feature], present: Mapping[str, Feature]) -> list[str]:
    """Say in sentences how the features ``wanted`` differ from the ones ``present`` in a dataset.

    Element names and ``info`` blocks count only where both sides give them.
    """
    found: list[str] = []
    for name in wanted.keys() - present.keys():
        found.append(f"feature {name!r} is not in the dataset")
    for name in present.keys() - wanted.keys():
        found.append(f"feature {name!r} of the dataset is missing")
    for name, want in wanted.items():
        have = present.get(name)
        if have is None:
            continue
        if want.dtype != have.dtype:
            found.append(f"feature {name!r} is {want.dtype}, the dataset has {have.dtype}")
        if want.shape != have.shape:
            found.append(f"feature {name!r} has shape {want.shape}, the dataset has {have.shape}")
        elif want.names is not None and have.names is not None and want.names != have.names:
            found.append(f"feature {name!r} has names {_plain(want.names)}, the dataset has {_plain(have.names)}")
    return sorted(found)


class FrameCheck:
    """Checks frames against features: names, shapes and dtypes, all differences in one message.

    Args:
        features: The features a frame must have, without the bookkeeping ones.
    """

    def __init__(self, features: Mapping[str, Feature]) -> None:
        self._features = dict(features)

    def __call__(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Return the frame's values as arrays of the declared dtype and shape, in the order of the features.

        Python numbers and sequences are converted where nothing is lost in kind (an int for a float, not a
        float for an int); arrays must already have the declared dtype. Cameras are ``uint8`` ``(H, W, 3)``.

        Raises:
            FeatureError: Lists every name, shape and dtype that differs.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        for name, feature in self._features.items():
            if name not in frame:
                problems.append(f"{name!r} is missing")
                continue
            try:
                values[name] = _checked(feature, frame[name])
            except FeatureError as error:
                problems.append(str(error))
        if len(frame) != len(values) or problems:
            problems += [self._unknown(name) for name in frame if name not in self._features]
        if problems:
            raise FeatureError("The frame does not fit the dataset: " + "; ".join(problems) + ".")
        return values

    def _unknown(self, name: str) -> str:
        if name in BOOKKEEPING:
            return f"{name!r} is filled in by the writer and must not be given"
        if name == "task":
            return "'task' belongs to begin_episode(task=...), not to the frame"
        return f"{name!r} is not a feature of the dataset. {nearest(name, self._features)}".rstrip(".?")


def _recordable(feature: Feature) -> Feature:
    """Return the feature as the writer records it.

    Raises:
        FeatureError: It cannot.
    """
    name, dtype, shape, names = feature.name, feature.dtype, feature.shape, feature.names
    if dtype not in NUMBER_DTYPES and dtype not in ("string", *_CAMERA_DTYPES):
        known = ", ".join([*NUMBER_DTYPES, "string", *_CAMERA_DTYPES])
        raise FeatureError(f"{name!r} has dtype {dtype!r}; known are {known}")
    if dtype == "string" and shape != (1,):
        raise FeatureError(f"{name!r} is a string and must have shape (1,), not {shape}")
    if not feature.is_camera:
        if isinstance(names, tuple) and len(shape) == 1 and len(names) != shape[0]:
            raise FeatureError(f"{name!r} has {shape[0]} elements and {len(names)} names")
        return feature
    if len(shape) != 3 or shape[2] != 3 or feature.is_depth:
        raise FeatureError(
            f"{name!r} has shape {shape}; a camera is (height, width, 3), give single-channel pictures "
            "with the channel repeated three times"
        )
    # With other names lerobot's training takes the height for the number of channels.
    if not isinstance(names, tuple) or names[-1:] not in (("channel",), ("channels",)):
        return replace(feature, names=CAMERA_NAMES)
    return feature


def _checked(feature: Feature, value: Any) -> Any:
    if feature.is_text:
        if not isinstance(value, str):
            raise FeatureError(f"{feature.name!r} must be a str, is {type(value).__name__}")
        check_text(value, repr(feature.name))
        return value
    wanted = np.dtype(np.uint8) if feature.is_camera else np.dtype(feature.dtype)
    if not isinstance(value, np.ndarray | np.generic):
        value = _from_python(feature, value, wanted)
    if value.dtype != wanted:
        hint = " (pictures are uint8, 0 to 255)" if feature.is_camera else ""
        raise FeatureError(f"{feature.name!r} must be {wanted}, is {value.dtype}{hint}")
    if value.shape != feature.shape:
        if feature.is_scalar and value.shape == ():
            return np.asarray(value).reshape(1)
        raise FeatureError(f"{feature.name!r} must have shape {feature.shape}, has {value.shape}")
    return value


def check_text(text: str, what: str) -> None:
    """Make sure that a text can be written.

    Raises:
        FeatureError: It holds half of a character.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FeatureError(f"{what} cannot be written: {error.reason} (character {error.start}).") from None


def _from_python(feature: Feature, value: Any, wanted: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Convert a Python number or nested sequence; these carry no dtype of their own."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise FeatureError(f"{feature.name!r} cannot be made an array: {error}") from None
    if hasattr(value, "__array__") or array.dtype == wanted:
        return array
    if not np.can_cast(array.dtype, wanted, "same_kind") and not (array.dtype.kind in "iu" and wanted.kind == "u"):
        raise FeatureError(f"{feature.name!r} must be {wanted}, is {type(value).__name__} of {array.dtype}")
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        if array.min() < limits.min or array.max() > limits.max:
            raise FeatureError(f"{feature.name!r} holds a value outside the range of {wanted}")
    return array.astype(wanted)


def _frozen(names: Any) -> Any:
    if isinstance(names, Mapping):
        return {key: _frozen(value) for key, value in names.items()}
    if isinstance(names, Sequence) and not isinstance(names, str):
        return tuple(_frozen(value) for value in names)
    return names


def _plain(names: Any) -> Any:
    return list(names) if isinstance(names, Iterable) and not isinstance(names, str | Mapping) else names
