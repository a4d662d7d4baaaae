"""From a LeRobot dataset to an HDF5 file that Isaac Lab's ``HDF5DatasetFileHandler`` loads.

Datasets that were converted from HDF5 get their own paths, shapes and dtypes back; recorded ones get Isaac Lab's:
``actions``, ``obs/<term>``, ``states/…`` after each step, ``initial_state/…``. Pictures are what the video codec made
of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.dataset import DatasetReader, Sidecar
from isaac_lerobot.dataset.reader import RecordedEpisode
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.tools.demo_file import ACTIONS, FORMAT_VERSION, Array, h5py_module
from isaac_lerobot.tools.demo_state import FINAL, INITIAL, OTHER, STATE, STATES, states_after
from isaac_lerobot.tools.mapping import ACTION, Part
from isaac_lerobot.tools.mapping import STATE as STATE_FEATURE

_PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 2}
"""As Isaac Lab's handler packs."""

_ENVIRONMENT_TYPE = 2
"""What Isaac Lab writes for robomimic's kind of environment: gym."""


def convert_back(
    dataset: DatasetReader, path: Path, *, success_only: bool, overwrite: bool, on_frames: Callable[[int], None]
) -> int:
    """Write a dataset's episodes into an HDF5 file. The file appears when it is complete.

    Args:
        dataset: What to convert.
        path: The file.
        success_only: Leave out episodes that failed, and those of which nothing is known.
        overwrite: Replace a file that is already there.
        on_frames: Called with the number of frames written since the last call.

    Returns:
        Number of episodes written.

    Raises:
        ConfigError: h5py is not installed.
        DatasetError: The file is there already, or cannot be written.
    """
    h5py = h5py_module()
    if path.exists() and not overwrite:
        raise DatasetError(f"{path} exists already. Choose another name, or give --overwrite.")
    partial = path.with_name(path.name + ".partial")
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(partial, "w") as file:
            file.attrs["format_version"] = FORMAT_VERSION
            data = file.create_group("data")
            data.attrs["env_args"] = json.dumps(_env_args(dataset))
            data.attrs["total"] = 0
            for episode in dataset:
                if success_only and not episode.success:
                    continue
                _write_demo(data.create_group(f"demo_{written}"), dataset, episode, on_frames)
                data.attrs["total"] += episode.length
                written += 1
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def parts_of(dataset: DatasetReader) -> dict[str, tuple[Part, ...]]:
    """Return which datasets of a demo each feature becomes: what it was converted from, else Isaac Lab's names."""
    attributes = dataset.attributes.get("attributes", {})
    known = attributes.get("hdf5", {}).get("features", {})
    parts: dict[str, tuple[Part, ...]] = {}
    for name, definition in dataset.info["features"].items():
        if name in known:
            parts[name] = tuple(Part(part["path"], tuple(part["shape"]), part["dtype"]) for part in known[name])
        elif name == ACTION or name.startswith("observation."):
            parts[name] = _recorded_parts(name, definition)
    return parts


def _recorded_parts(name: str, definition: Mapping[str, Any]) -> tuple[Part, ...]:
    shape = tuple(definition["shape"])
    if definition["dtype"] in ("video", "image"):
        return (Part(f"obs/{name.removeprefix('observation.images.')}", shape, "uint8"),)
    if name == ACTION:
        return (Part(ACTIONS, shape, definition["dtype"]),)
    if name != STATE_FEATURE:
        return (Part(f"obs/{name.removeprefix('observation.')}", shape, definition["dtype"]),)
    terms = _terms(definition.get("names"), shape[0])
    return tuple(Part(f"obs/{term}", (size,), definition["dtype"]) for term, size in terms.items())


def _terms(names: Any, size: int) -> dict[str, int]:
    """Return the terms that make up the state with their sizes, told by the element names ``<term>.<element>``."""
    if not isinstance(names, list | tuple) or len(names) != size:
        return {"state": size}
    terms: dict[str, int] = {}
    last = ""
    for name in names:
        term = str(name).partition(".")[0]
        if term in terms and term != last:
            return {"state": size}
        terms[term] = terms.get(term, 0) + 1
        last = term
    return terms


def _env_args(dataset: DatasetReader) -> dict[str, Any]:
    attributes = dataset.attributes.get("attributes", {})
    # Without these a file does not say how fast it is.
    rate = {"sim_args": {"dt": 1.0 / dataset.fps, "decimation": 1}}
    name = {"env_name": attributes.get("env_name", ""), "type": _ENVIRONMENT_TYPE}
    return {**rate, **name, **attributes.get("env_args", {})}


def _write_demo(group: Any, dataset: DatasetReader, episode: RecordedEpisode, on_frames: Callable[[int], None]) -> None:
    sidecar = episode.sidecar()
    own = sidecar.attributes.get("hdf5", {})
    for key, value in own.get("attributes", {}).items():
        group.attrs[key] = value
    group.attrs["num_samples"] = episode.length
    if sidecar.attributes.get("seed") is not None:
        group.attrs["seed"] = sidecar.attributes["seed"]
    if episode.success is not None:
        group.attrs["success"] = episode.success
    parts = parts_of(dataset)
    for path, values in _numbers(parts, dataset, episode):
        group.create_dataset(path, data=values, **_PACKED)
    for path, values in _beside(sidecar):
        packed = _PACKED if values.size else {}
        group.create_dataset(path, data=values, **packed)
    _write_pictures(group, parts, dataset, episode, on_frames)


def _numbers(
    parts: Mapping[str, tuple[Part, ...]], dataset: DatasetReader, episode: RecordedEpisode
) -> Iterator[tuple[str, Array]]:
    for name, pieces in parts.items():
        if name in dataset.cameras or not dataset.features[name].is_number:
            continue
        values = episode[name]
        if len(pieces) == 1:
            yield pieces[0].path, values.reshape(episode.length, *pieces[0].shape).astype(pieces[0].dtype)
            continue
        start = 0
        for part in pieces:
            piece = values[:, start : start + part.size]
            yield part.path, piece.reshape(episode.length, *part.shape).astype(part.dtype)
            start += part.size


def _beside(sidecar: Sidecar) -> Iterator[tuple[str, Array]]:
    """Yield what was kept beside the dataset under the paths it has in an HDF5 file."""
    for name, values in sidecar.frames.items():
        group, _, rest = name.partition("/")
        if group == STATE and f"{FINAL}/{rest}" in sidecar.arrays:
            yield f"{STATES}/{rest}", states_after(values, sidecar.arrays[f"{FINAL}/{rest}"])
        elif group == OTHER:
            yield rest, values
    for name, values in sidecar.arrays.items():
        group, _, rest = name.partition("/")
        if group == INITIAL:
            yield name, values[None]
        elif group == OTHER:
            yield rest, values


def _write_pictures(
    group: Any,
    parts: Mapping[str, tuple[Part, ...]],
    dataset: DatasetReader,
    episode: RecordedEpisode,
    on_frames: Callable[[int], None],
) -> None:
    cameras = [name for name in dataset.cameras if name in parts]
    for name in cameras:
        part = parts[name][0]
        path = part.path if part.path not in group else f"{part.path}_picture"
        # A chunk is a picture, so that no more than one is held.
        target = group.create_dataset(path, (episode.length, *part.shape), np.uint8, chunks=(1, *part.shape), **_PACKED)
        for row, picture in enumerate(episode.images(name)):
            target[row] = _channels(picture, part.shape[2])
            if name == cameras[0]:
                on_frames(1)
    if not cameras:
        on_frames(episode.length)


def _channels(picture: Array, channels: int) -> Array:
    if channels == 1:
        return picture[..., :1]
    if channels == 4:
        return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=-1)
    return picture
