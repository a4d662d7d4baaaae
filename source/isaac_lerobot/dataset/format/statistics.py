"""Statistics: what lerobot keeps of every feature, per episode and for the whole dataset.

A statistic is a mapping of ``min max mean std count q01 q10 q50 q90 q99`` to float64 arrays: shape ``(n,)`` for
vectors, ``(1,)`` for scalars, ``(b,)`` for arrays ``(a, b)`` (lerobot pools the leading axes), ``(3, 1, 1)`` for
cameras, whose values are scaled to 0..1; ``count`` has shape ``(1,)``. ``std`` is that of the population.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.features import Feature

Statistics = dict[str, NDArray[np.float64]]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
KEYS = ("min", "max", "mean", "std", "count", *QUANTILES)
_EXACT_VALUES = 4_000_000
"""Quantiles are exact up to this many values of a feature, and from evenly spaced rows beyond: 32 MB at most."""
_PICTURE_SAMPLE = 150
"""Pictures of 300 pixels and more are sampled down to about this many columns, as lerobot does."""
_TURNS = 4
"""Number of pictures that share the rows of that sample among them."""


class PictureStatistics:
    """Statistics of one camera over one episode, from exact 256-bin histograms of every k-th pixel.

    Of large pictures, each gives every fourth row of that sample, and the next picture the rows below: neighbouring
    pictures are alike, and the histogram is most of what the recorder itself costs per frame.

    Args:
        height: Height of the pictures [pixels].
        width: Width of the pictures [pixels].
    """

    def __init__(self, height: int, width: int) -> None:
        longer = max(height, width)
        self._step = max(1, int(longer / _PICTURE_SAMPLE)) if longer >= 2 * _PICTURE_SAMPLE else 1
        turns = 1 if self._step == 1 else _TURNS
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
    return found | exact_quantiles(flat, width)


def exact_quantiles(chunks: Sequence[NDArray[Any]], width: int) -> Statistics:
    """Return the quantiles of the rows of ``chunks``, each ``(rows, width)``, over evenly spaced rows if many."""
    rows = sum(len(chunk) for chunk in chunks)
    step = -(-rows * width // _EXACT_VALUES) or 1
    sample = np.concatenate([chunk[::step] for chunk in chunks]) if chunks else np.zeros((0, width))
    values, finite = _finite(sample)
    shares = list(QUANTILES.values())
    if finite.all() and len(values):
        table = np.quantile(values, shares, axis=0)
    else:
        table = np.zeros((len(shares), width))
        for element in range(width):
            column = values[finite[:, element], element]
            if len(column):
                table[:, element] = np.quantile(column, shares)
    return dict(zip(QUANTILES, table, strict=True))


def merge(parts: Iterable[Statistics]) -> Statistics:
    """Merge statistics of disjoint rows: exact, but for the quantiles, which are means weighted by count."""
    known = list(parts)
    if len(known) == 1:
        return dict(known[0])
    counts = np.array([float(part["count"].reshape(-1)[0]) for part in known])
    weights = counts / counts.sum()

    def stacked(key: str) -> NDArray[np.float64]:
        return np.stack([np.asarray(part[key], np.float64) for part in known])

    shaped = weights.reshape(-1, *(1,) * known[0]["mean"].ndim)
    mean = (stacked("mean") * shaped).sum(axis=0)
    spread = ((stacked("std") ** 2 + (stacked("mean") - mean) ** 2) * shaped).sum(axis=0)
    merged: Statistics = {
        "min": stacked("min").min(axis=0),
        "max": stacked("max").max(axis=0),
        "mean": mean,
        "std": np.sqrt(spread),
        "count": np.array([counts.sum()]),
    }
    for key in QUANTILES:
        merged[key] = (stacked(key) * shaped).sum(axis=0)
    return merged


def merge_quantiles(parts: Sequence[Statistics]) -> Statistics:
    """Return the quantiles of the mixture of ``parts``, each taken as linear between its known quantiles.

    Much closer than a mean of quantiles where episodes differ; used where the values are no longer at hand.
    """
    shares = np.array([0.0, *QUANTILES.values(), 1.0])
    counts = np.array([float(part["count"].reshape(-1)[0]) for part in parts])
    knots = np.stack([np.stack([part[key].reshape(-1) for key in ("min", *QUANTILES, "max")]) for part in parts])
    knots = np.maximum.accumulate(knots, axis=1)
    shape = parts[0]["q50"].shape
    table = np.empty((len(QUANTILES), knots.shape[2]))
    for element in range(knots.shape[2]):
        # Each part is replaced by 101 evenly weighted values of its own distribution.
        grid = np.linspace(0.0, 1.0, 101)
        values = np.stack([np.interp(grid, shares, knots[part, :, element]) for part in range(len(parts))])
        weights = np.repeat(counts / grid.size, grid.size)
        order = np.argsort(values, axis=None, kind="stable")
        running = np.cumsum(weights[order])
        found = np.searchsorted(running, np.array(list(QUANTILES.values())) * running[-1])
        table[:, element] = values.reshape(-1)[order][np.minimum(found, order.size - 1)]
    return {key: row.reshape(shape) for key, row in zip(QUANTILES, table, strict=True)}


def to_json(statistics: Mapping[str, Statistics]) -> dict[str, dict[str, Any]]:
    """Return the statistics as nested lists, as in ``stats.json``."""
    return {name: {key: _listed(key, value) for key, value in one.items()} for name, one in statistics.items()}


def from_json(content: Mapping[str, Mapping[str, Any]]) -> dict[str, Statistics]:
    """Read the statistics of ``stats.json``."""
    return {name: {key: np.asarray(value, np.float64) for key, value in one.items()} for name, one in content.items()}


def _listed(key: str, value: NDArray[np.float64]) -> Any:
    return [int(value.reshape(-1)[0])] if key == "count" else value.tolist()


def _finite(chunk: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values = chunk.astype(np.float64)
    finite = np.isfinite(values)
    return values, finite
