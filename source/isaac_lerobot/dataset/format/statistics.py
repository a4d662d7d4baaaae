"""Statistics: what lerobot keeps of every feature, per episode and for the whole dataset.

A statistic is a mapping of ``min max mean std count q01 q10 q50 q90 q99`` to float64 arrays: shape ``(n,)`` for
vectors, ``(1,)`` for scalars, ``(b,)`` for arrays ``(a, b)`` (lerobot pools the leading axes), ``(3, 1, 1)`` for
cameras, whose values are scaled to 0..1; ``count`` has shape ``(1,)``. ``std`` is that of the population.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.json_file import read_json
from isaac_lerobot.errors import DatasetError

Statistics = dict[str, NDArray[np.float64]]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
KEYS = ("min", "max", "mean", "std", "count", *QUANTILES)
EXACT_VALUES = 4_000_000
"""Quantiles are exact up to this many values of a feature, and from evenly spaced rows beyond: 32 MB at most."""
_MIXED_VALUES = 1_000_000
"""Values in all that stand for the distributions of parts when their quantiles are merged."""
_PICTURE_SAMPLE = 150
"""Pictures of 300 pixels and more are sampled down to about this many columns, as lerobot does."""
_TURNS, _SHARED_PIXELS = 4, 2048
"""Number of pictures that share the rows of that sample among them, and the size from which they do."""


class PictureStatistics:
    """Statistics of one camera over one episode, from exact 256-bin histograms of every k-th pixel.

    Of pictures of 46 x 46 pixels and more, each gives every fourth row of that sample, and the next picture the rows
    below: neighbouring pictures are alike, and the histogram is most of what the recorder itself costs per frame.

    Args:
        height: Height of the pictures [pixels].
        width: Width of the pictures [pixels].
    """

    def __init__(self, height: int, width: int) -> None:
        longer = max(height, width)
        self._step = max(1, int(longer / _PICTURE_SAMPLE)) if longer >= 2 * _PICTURE_SAMPLE else 1
        turns = _TURNS if height * width >= _SHARED_PIXELS else 1
        self._rows = itertools.cycle(slice(turn * self._step, None, turns * self._step) for turn in range(turns))
        self._bins = np.zeros((3, 256), np.int64)

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Count a picture, uint8 ``(H, W, 3)``."""
        sample = picture[next(self._rows), :: self._step]
        for channel in range(3):
            self._bins[channel] += np.bincount(sample[:, :, channel].ravel(), minlength=256)

    def result(self) -> Statistics:
        """Return the statistics so far; at least one picture must have been added."""
        values = np.arange(256) / 255.0
        count = self._bins.sum(axis=1)
        mean = (self._bins * values).sum(axis=1) / count
        std = np.sqrt((self._bins * (values - mean[:, None]) ** 2).sum(axis=1) / count)
        present = self._bins > 0
        lowest = values[present.argmax(axis=1)]
        highest = values[255 - present[:, ::-1].argmax(axis=1)]
        running = self._bins.cumsum(axis=1)
        found: Statistics = {"min": lowest, "max": highest, "mean": mean, "std": std}
        for key, share in QUANTILES.items():
            rank = np.floor(share * (count - 1)) + 1
            found[key] = values[(running >= rank[:, None]).argmax(axis=1)]
        found = {key: value.reshape(3, 1, 1) for key, value in found.items()}
        found["count"] = np.array([float(count[0])])
        return found


def column_statistics(feature: Feature, chunks: Sequence[NDArray[Any]]) -> Statistics:
    """Return the statistics of a column of numbers.

    Args:
        feature: The feature, for the shape.
        chunks: The rows, arrays of shape ``(rows, *feature.shape)``; at least one row in all.
    """
    width = feature.shape[-1]
    flat = [chunk.reshape(-1, width) for chunk in chunks if len(chunk)]
    rows = sum(len(chunk) // max(1, feature.size // width) for chunk in flat)
    lowest = np.full(width, np.inf)
    highest = np.full(width, -np.inf)
    total = np.zeros(width)
    number = np.zeros(width)
    for chunk in flat:
        values, finite = _finite(chunk)
        lowest = np.minimum(lowest, np.min(values, axis=0, where=finite, initial=np.inf))
        highest = np.maximum(highest, np.max(values, axis=0, where=finite, initial=-np.inf))
        total += values.sum(axis=0, where=finite)
        number += finite.sum(axis=0)
    empty = number == 0
    number = np.maximum(number, 1)
    mean = np.where(empty, 0.0, total / number)
    square = np.zeros(width)
    for chunk in flat:
        values, finite = _finite(chunk)
        square += ((values - mean) ** 2).sum(axis=0, where=finite)
    found: Statistics = {
        "min": np.where(empty, 0.0, lowest),
        "max": np.where(empty, 0.0, highest),
        "mean": mean,
        "std": np.sqrt(square / number),
        "count": np.array([float(rows)]),
    }
    return found | quantiles(evenly_spaced(flat, EXACT_VALUES))


def evenly_spaced(chunks: Sequence[NDArray[Any]], limit: int) -> NDArray[Any]:
    """Return evenly spaced rows of ``chunks``, each ``(rows, width)``, ``limit`` values at the most."""
    values = sum(chunk.size for chunk in chunks)
    step = max(1, -(-values // limit))
    return np.concatenate([chunk[::step] for chunk in chunks])


def quantiles(rows: NDArray[Any]) -> Statistics:
    """Return the quantiles of the columns of ``rows``, ``(rows, width)``; those of what is not finite do not count."""
    values, finite = _finite(rows)
    shares = list(QUANTILES.values())
    if finite.all() and len(values):
        table = np.quantile(values, shares, axis=0)
    else:
        table = np.zeros((len(shares), rows.shape[1]))
        for element in range(rows.shape[1]):
            column = values[finite[:, element], element]
            if len(column):
                table[:, element] = np.quantile(column, shares)
    return dict(zip(QUANTILES, table, strict=True))


def stacked(parts: Sequence[Statistics]) -> Statistics:
    """Return statistics of several sets of rows with one more axis in front, as :func:`merge` wants them."""
    return {key: np.stack([part[key] for part in parts]) for key in KEYS}


def merge(parts: Statistics) -> Statistics:
    """Merge statistics of disjoint rows: exact, but for the quantiles, which are means weighted by count.

    Args:
        parts: The statistics, stacked: shape ``(parts, *shape)`` each.
    """
    counts = parts["count"].reshape(-1)
    if len(counts) == 1:
        return {key: value[0] for key, value in parts.items()}
    weights = (counts / counts.sum()).reshape(-1, *(1,) * (parts["mean"].ndim - 1))
    mean = (parts["mean"] * weights).sum(axis=0)
    spread = ((parts["std"] ** 2 + (parts["mean"] - mean) ** 2) * weights).sum(axis=0)
    merged: Statistics = {
        "min": parts["min"].min(axis=0),
        "max": parts["max"].max(axis=0),
        "mean": mean,
        "std": np.sqrt(spread),
        "count": np.array([counts.sum()]),
    }
    return merged | {key: (parts[key] * weights).sum(axis=0) for key in QUANTILES}


def merge_quantiles(parts: Statistics) -> Statistics:
    """Return the quantiles of the mixture of ``parts``, each taken as linear between its known quantiles.

    Much closer than a mean of quantiles where episodes differ; used where the values are no longer at hand.

    Args:
        parts: As for :func:`merge`.
    """
    shares = np.array([0.0, *QUANTILES.values(), 1.0])
    number = len(parts["count"])
    knots = np.stack([parts[key].reshape(number, -1) for key in ("min", *QUANTILES, "max")], axis=1)
    knots = np.maximum.accumulate(knots, axis=1)
    # Each part is replaced by evenly weighted values of its own distribution.
    grid = np.linspace(0.0, 1.0, max(11, min(101, _MIXED_VALUES // number)))
    weights = np.repeat(parts["count"].reshape(-1) / grid.size, grid.size)
    table = np.empty((len(QUANTILES), knots.shape[2]))
    for element in range(knots.shape[2]):
        values = np.concatenate([np.interp(grid, shares, knots[part, :, element]) for part in range(number)])
        order = np.argsort(values, kind="stable")
        running = np.cumsum(weights[order])
        found = np.searchsorted(running, np.array(list(QUANTILES.values())) * running[-1])
        table[:, element] = values[order][np.minimum(found, order.size - 1)]
    shape = parts["q50"].shape[1:]
    return {key: row.reshape(shape) for key, row in zip(QUANTILES, table, strict=True)}


def of_progression(first: float, step: float, number: int) -> Statistics:
    """Return the statistics of ``first``, ``first + step``, ... in all ``number`` values, each ``(1,)``."""
    last = first + step * (number - 1)
    values = {
        "min": first,
        "max": last,
        "mean": (first + last) / 2,
        "std": abs(step) * np.sqrt((number**2 - 1) / 12),
        "count": number,
    }
    values |= {key: first + share * (last - first) for key, share in QUANTILES.items()}
    return {key: np.array([float(value)]) for key, value in values.items()}


def to_json(statistics: Mapping[str, Statistics]) -> dict[str, dict[str, Any]]:
    """Return the statistics as nested lists, as in ``stats.json``."""
    return {name: {key: _listed(key, value) for key, value in one.items()} for name, one in statistics.items()}


def shape_of(feature: Feature, key: str) -> tuple[int, ...]:
    """Return the shape of one statistic of a feature."""
    if key == "count":
        return (1,)
    return (feature.shape[-1], 1, 1) if feature.is_camera else (feature.shape[-1],)


def checked(feature: Feature, values: Mapping[str, Any]) -> Statistics:
    """Return the statistics of a feature from nested lists.

    Raises:
        DatasetError: One is missing, or has another shape or no numbers.
    """
    found: Statistics = {}
    for key in KEYS:
        try:
            value = np.asarray(values[key], np.float64)
            found[key] = value.reshape(shape_of(feature, key))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"The statistics of {feature.name} have no usable {key}.") from error
    if not found["count"][0] >= 1:
        raise DatasetError(f"The statistics of {feature.name} are of {found['count'][0]} values.")
    return found


def read_statistics(root: Path, features: Iterable[Feature]) -> dict[str, Statistics]:
    """Read ``stats.json``.

    Args:
        root: Folder of the dataset.
        features: Those of whom there must be statistics.

    Raises:
        DatasetError: It cannot be read, or lacks some.
    """
    content = read_json(root / layout.STATS)
    found = {}
    for feature in features:
        values = content.get(feature.name)
        if not isinstance(values, dict):
            raise DatasetError(f"{root / layout.STATS} has nothing on {feature.name}.")
        found[feature.name] = checked(feature, values)
    return found


def _listed(key: str, value: NDArray[np.float64]) -> Any:
    return [int(value.reshape(-1)[0])] if key == "count" else value.tolist()


def _finite(chunk: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values = chunk.astype(np.float64)
    finite = np.isfinite(values)
    return values, finite
