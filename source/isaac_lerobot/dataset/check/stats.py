"""Rules for ``meta/stats.json`` and the statistics of the single episodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.check.evidence import Evidence, UnavailableError, as_floats
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, rule
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import as_array
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.json_file import look_into
from isaac_lerobot.dataset.format.statistics import KEYS, QUANTILES, shape_of
from isaac_lerobot.errors import DatasetError

_STATS = layout.STATS.as_posix()
_MOMENTS = tuple(key for key in KEYS if key not in QUANTILES)
# lerobot-edit-dataset leaves the old statistics of these three behind, and nothing reads them.
_STALE = ("episode_index", "index", "task_index")


@rule("stats-unreadable", ERROR, "training does not start. Run `isaac-lerobot recover`")
def _readable(evidence: Evidence) -> Complaints:
    """`meta/stats.json` is there and holds a JSON object."""
    _, error = look_into(evidence.root / layout.STATS)
    if error and (evidence.info.get("total_episodes") or (evidence.root / layout.STATS).exists()):
        yield _STATS, f"it {error}"


def _with_statistics(evidence: Evidence) -> dict[str, Feature]:
    return {name: feature for name, feature in evidence.features.items() if feature.has_statistics}


def _present(evidence: Evidence) -> Iterator[tuple[str, Feature, dict[str, NDArray[np.float64]]]]:
    """Features that stats.json holds, each with those of its statistics that are arrays of numbers."""
    for name, feature in _with_statistics(evidence).items():
        if name in evidence.stats:
            arrays = {key: evidence.statistic(name, key) for key in KEYS}
            yield name, feature, {key: array for key, array in arrays.items() if array is not None}


@rule("stats-feature-missing", ERROR, "training fails to normalise it, and for a camera does not start")
def _features(evidence: Evidence) -> Complaints:
    """It has every feature but texts, cameras too."""
    for name in _with_statistics(evidence):
        if name not in evidence.stats:
            yield _STATS, f"it has nothing on {name}"


@rule("stats-feature-unknown", WARNING, "merging may fail")
def _unknown(evidence: Evidence) -> Complaints:
    """It has no others."""
    if unknown := [name for name in evidence.stats if name not in evidence.features]:
        yield _STATS, f"it has statistics of {shortened(unknown)}, which the dataset does not have"


def _keys(evidence: Evidence, keys: tuple[str, ...]) -> Complaints:
    for name, _, statistics in _present(evidence):
        if missing := [key for key in keys if key not in statistics]:
            yield f"{_STATS}, {name}", f"it lacks {shortened(missing)}"


@rule("stats-key-missing", ERROR, "training with this normalisation, and merging, fail")
def _moments(evidence: Evidence) -> Complaints:
    """Each has `min`, `max`, `mean`, `std` and `count`."""
    return _keys(evidence, _MOMENTS)


@rule("stats-quantiles", ERROR, "policies that normalise by quantiles (pi05, molmoact2) do not start")
def _quantiles(evidence: Evidence) -> Complaints:
    """Each has the quantiles q01, q10, q50, q90 and q99."""
    return _keys(evidence, tuple(QUANTILES))


@rule("stats-shape", ERROR, "merging is refused, and normalising gives another shape")
def _shape(evidence: Evidence) -> Complaints:
    """They have lerobot's shapes: `[n]`, `[b]` for `[a, b]`, `[C, 1, 1]` for cameras, `[1]` for `count`."""
    for name, feature, statistics in _present(evidence):
        for key, value in statistics.items():
            if value.shape != (wanted := shape_of(feature, key)):
                yield f"{_STATS}, {name}", f"{key} has the shape {list(value.shape)}, not {list(wanted)}"
                break


@rule("stats-not-finite", ERROR, "normalising gives NaN, and so does training")
def _finite(evidence: Evidence) -> Complaints:
    """All are finite."""
    for name, _, statistics in _present(evidence):
        if bad := [key for key, value in statistics.items() if not np.isfinite(value).all()]:
            yield f"{_STATS}, {name}", f"{shortened(bad)} is not finite"


@rule("stats-order", ERROR, "training normalises wrong, without a word")
def _order(evidence: Evidence) -> Complaints:
    """Mean and quantiles lie between `min` and `max`, and `std` between 0 and their distance."""
    for name, _, statistics in _present(evidence):
        if not {"min", "max", "mean", "std"} <= statistics.keys():
            continue
        low, high = statistics["min"], statistics["max"]
        if len({value.shape for key, value in statistics.items() if key != "count"}) > 1:
            continue
        slack = 1e-6 + 1e-5 * np.maximum(np.abs(low), np.abs(high))
        between = ["mean", *(key for key in QUANTILES if key in statistics)]
        if wrong := [
            key for key in between if not ((low - slack <= statistics[key]) & (statistics[key] <= high + slack)).all()
        ]:
            yield f"{_STATS}, {name}", f"{shortened(wrong)} is not between min and max"
        elif (statistics["std"] < 0).any() or (statistics["std"] > high - low + slack).any():
            yield f"{_STATS}, {name}", "std is below 0 or above max - min"


@rule("stats-image-scale", ERROR, "training normalises pictures wrong, without a word. Divide by 255")
def _scale(evidence: Evidence) -> Complaints:
    """Those of RGB cameras are for pictures of 0 to 1."""
    for name, feature, statistics in _present(evidence):
        if feature.is_camera and not feature.is_depth:
            values = [number for key in ("min", "max", "mean") for number in statistics.get(key, np.zeros(0)).flat]
            if values and not (min(values) >= 0 and max(values) <= 1):
                yield f"{_STATS}, {name}", f"it goes from {min(values):.3g} to {max(values):.3g}, not within 0 to 1"


@rule("stats-count", WARNING, "merging weighs the dataset wrong")
def _count(evidence: Evidence) -> Complaints:
    """`count` is the number of frames."""
    for name, feature, statistics in _present(evidence):
        if feature.is_number and name not in _STALE and "count" in statistics:
            count = float(statistics["count"].ravel()[0]) if statistics["count"].size else 0.0
            if count != evidence.num_rows:
                yield f"{_STATS}, {name}", f"count is {count:.0f}, and there are {evidence.num_rows} frames"


@rule("stats-extent", ERROR, "training normalises wrong, without a word")
def _extent(evidence: Evidence) -> Complaints:
    """`min` and `max` are those of the rows."""
    for name, feature, statistics in _present(evidence):
        if feature.is_number and name not in _STALE and {"min", "max"} <= statistics.keys():
            extent = _extent_in_footers(evidence, name)
            if extent is None or not np.isfinite(extent).all() or not statistics["min"].size:
                continue
            said = float(statistics["min"].min()), float(statistics["max"].max())
            slack = 1e-6 + 1e-4 * (extent[1] - extent[0])
            if abs(said[0] - extent[0]) > slack or abs(said[1] - extent[1]) > slack:
                yield f"{_STATS}, {name}", (f"it goes from {said[0]:.6g} to {said[1]:.6g}, and the rows from "
                                            f"{extent[0]:.6g} to {extent[1]:.6g}")  # fmt: skip


def _extent_in_footers(evidence: Evidence, name: str) -> tuple[float, float] | None:
    """Smallest and largest number in a column, from the footers alone; None where they do not say."""
    lows: list[float] = []
    highs: list[float] = []
    for file in evidence.data_files:
        if file.footer is None:
            raise UnavailableError(f"{file.name} is unreadable")
        numbers = [n for n in range(file.footer.num_columns) if _column_of(file.footer.schema.column(n).path) == name]
        for group in range(file.footer.num_row_groups):
            for number in numbers:
                statistics = file.footer.row_group(group).column(number).statistics
                if statistics is None or not statistics.has_min_max or isinstance(statistics.min, str | bytes):
                    return None
                lows.append(float(statistics.min))
                highs.append(float(statistics.max))
    return (min(lows), max(highs)) if lows else None


def _column_of(path: str) -> str:
    return path.split(".list.")[0]


def _all_rows(evidence: Evidence, feature: Feature) -> NDArray[np.float64]:
    """All values of a feature: shape (rows, elements of its last axis)."""
    if any(file.schema is None or feature.name not in file.schema.names for file in evidence.data_files):
        raise UnavailableError(f"a data file has no column {feature.name}")
    try:
        parts = [as_array(file.read([feature.name])[feature.name], feature) for file in evidence.data_files]
    except DatasetError as error:
        raise UnavailableError(str(error)) from error
    rows: NDArray[np.float64] = np.concatenate(parts).reshape(-1, feature.shape[-1]).astype(np.float64)
    return rows


def _close(said: NDArray[np.float64], found: NDArray[np.float64], spread: NDArray[np.float64]) -> bool:
    return said.size != found.size or bool(
        (np.abs(said.ravel() - found) <= 1e-4 + 1e-3 * (np.abs(found) + spread)).all()
    )


@rule("stats-values", ERROR, "training normalises wrong, without a word", deep=True)
def _values(evidence: Evidence) -> Complaints:
    """All four moments are those of the rows."""
    for name, feature, statistics in _present(evidence):
        if feature.is_number and name not in _STALE:
            rows = _all_rows(evidence, feature)
            if not len(rows) or not np.isfinite(rows).all():
                continue
            found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
            spread = found["max"] - found["min"]
            if wrong := [key for key in found if key in statistics and not _close(statistics[key], found[key], spread)]:
                yield f"{_STATS}, {name}", f"{shortened(wrong)} differs from what the rows give"


@rule("stats-episode-values", ERROR, "after an edit lerobot's stats.json is wrong", deep=True)
def _episode_values(evidence: Evidence) -> Complaints:
    """The episode table's statistics are those of each episode's rows."""
    starts, stops = evidence.episode_numbers("dataset_from_index", "dataset_to_index")
    for name, feature in _with_statistics(evidence).items():
        if not feature.is_number or name in _STALE:
            continue
        rows, each = _all_rows(evidence, feature), max(1, feature.size // feature.shape[-1])
        columns = evidence.episode_statistics([f"stats/{name}/{key}" for key in ("min", "max", "mean")])
        for row, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            part = rows[start * each : stop * each]
            if not len(part) or not np.isfinite(part).all():
                continue
            found = {"min": part.min(0), "max": part.max(0), "mean": part.mean(0)}
            spread = found["max"] - found["min"]
            said = {key: as_floats(columns.get(f"stats/{name}/{key}", [None] * len(starts))[row]) for key in found}
            wrong = [key for key, value in said.items() if value is not None and not _close(value, found[key], spread)]
            if wrong:
                yield (
                    f"episode {row}, {name}",
                    f"{shortened(wrong)} in the episode table differs from what its rows give",
                )
