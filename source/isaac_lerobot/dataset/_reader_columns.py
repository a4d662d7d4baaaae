"""A parquet column as the numpy array that the feature's definition promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.errors import DatasetError


def as_array(column: pa.ChunkedArray, feature: dict[str, Any], name: str) -> NDArray[Any]:
    """The values of ``column``: shape (rows,) for features of shape [1], else (rows, *shape).

    Scalars, fixed-size lists, lists and lists of lists are understood, and lerobot's extension type for
    matrices, whose storage is lists of lists. Texts come as an array of ``object``.

    Raises:
        DatasetError: The values are not of the feature's shape, or some are missing.
    """
    shape = tuple(feature["shape"])
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # older pyarrow returns one chunk or none
        values = values.chunk(0) if values.num_chunks else pa.array([], values.type)
    if feature["dtype"] in ("string", "language"):
        texts = np.empty(len(values), object)
        texts[:] = values.to_pylist()
        return texts
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    rows = len(values)
    while pa.types.is_nested(values.type):
        if values.null_count or not hasattr(values, "flatten"):
            raise DatasetError(f"{name}: its column of type {column.type} has missing or unreadable values.")
        values = values.flatten()
    if values.null_count:
        raise DatasetError(f"{name}: {values.null_count} of its values are missing in the data file.")
    flat = values.to_numpy(zero_copy_only=False).astype(feature["dtype"], copy=False)
    wanted = (rows,) if shape == (1,) else (rows, *shape)
    if flat.size != int(np.prod(wanted)):
        raise DatasetError(f"{name}: info.json gives the shape {list(shape)}, and {rows} rows hold {flat.size} values.")
    return flat.reshape(wanted)
