"""A parquet column as the numpy array that the feature's definition promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.features import NUMBER_DTYPES, Feature
from isaac_lerobot.dataset.format.tables import numpy_chunks
from isaac_lerobot.errors import DatasetError


def as_array(column: pa.ChunkedArray, feature: Feature) -> NDArray[Any]:
    """The values of ``column``: shape (rows,) for features of shape [1], else (rows, *shape).

    Scalars, fixed-size lists, lists and lists of lists are understood, and other number types are converted,
    as lerobot does. Texts come as an array of ``object``.

    Raises:
        DatasetError: The values are not of the feature's shape or dtype, or some are missing.
    """
    if not feature.is_number:
        texts = np.empty(len(column), object)
        texts[:] = column.to_pylist()
        return texts
    values = flat_numbers(column, feature)
    shape = (len(column),) if feature.is_scalar else (len(column), *feature.shape)
    if values.size != int(np.prod(shape)):
        raise DatasetError(
            f"{feature.name}: info.json gives the shape {list(feature.shape)}, and {len(column)} rows hold "
            f"{values.size} values. Run `isaac-lerobot check` on the dataset."
        )
    return values.reshape(shape)


def flat_numbers(column: pa.ChunkedArray, feature: Feature) -> NDArray[Any]:
    """All numbers of a column in a row, in the feature's dtype, however they are nested: shape (values,).

    Raises:
        DatasetError: The column holds something else, or values are missing.
    """
    parts, wanted = [], NUMBER_DTYPES[feature.dtype]
    for chunk in column.chunks:
        array = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        missing = array.null_count
        while pa.types.is_nested(array.type) and not pa.types.is_struct(array.type):
            array = array.flatten()
            missing += array.null_count
        if missing:
            raise DatasetError(f"{feature.name}: {missing} of its values are missing in the data file.")
        try:
            parts.append(array if array.type == wanted else array.cast(wanted))
        except pa.ArrowException as error:
            raise DatasetError(f"{feature.name}: its column is of {column.type}, not of {feature.dtype}.") from error
    scalar = Feature(feature.name, feature.dtype, (1,))
    chunks = numpy_chunks(scalar, pa.chunked_array(parts, wanted))
    values: NDArray[Any] = np.concatenate([np.empty((0, 1), feature.dtype), *chunks]).reshape(-1)
    return values
