"""From a LeRobot dataset to an HDF5 file that Isaac Lab's ``HDF5DatasetFileHandler`` loads.

Datasets that were converted from HDF5 get their own paths, shapes and dtypes back; recorded ones get Isaac Lab's:
``actions``, ``obs/<term>``, ``states/…`` after each step, ``initial_state/…``. Pictures are what the video codec made
of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.dataset import DatasetReader, RecordedEpisode
from isaac_lerobot.dataset.format.sidecar import read_attributes
from isaac_lerobot.episode_data.layout import EpisodeLayout, Part
from isaac_lerobot.episode_data.names import episode_names
from isaac_lerobot.episode_data.states import kept_values
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.tools.demo_file import FORMAT_VERSION, Array, h5py_module

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
        DatasetError: The file is there already, or cannot be written; the dataset is damaged.
    """
    h5py = h5py_module()
    if path.exists() and not overwrite:
        raise DatasetError(f"{path} exists already. Choose another name, or give --overwrite.")
    layout = EpisodeLayout.of_dataset(dataset)
    partial = path.with_name(path.name + ".partial")
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(partial, "w") as file:
            file.attrs["format_version"] = FORMAT_VERSION
            data = file.create_group("data")
            data.attrs["env_args"] = json.dumps(_env_args(dataset))
            data.attrs["total"] = 0
            names = episode_names(read_attributes(dataset.root, index) for index in range(len(dataset)))
            for name, episode in zip(names, dataset, strict=True):
                if success_only and not episode.success:
                    continue
                _write_demo(data.create_group(name), episode, layout, dataset.cameras)
                on_frames(episode.length)
                data.attrs["total"] += episode.length
                written += 1
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error}.") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # names and values that HDF5 does not take
        raise DatasetError(f"What is kept beside {dataset.root} cannot be kept in {path.name}: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _env_args(dataset: DatasetReader) -> dict[str, Any]:
    attributes = dataset.attributes.get("attributes", {})
    # Without these a file does not say how fast it is.
    rate = {"sim_args": {"dt": 1.0 / dataset.fps, "decimation": 1}}
    name = {"env_name": attributes.get("env_name", ""), "type": _ENVIRONMENT_TYPE}
    kept = attributes.get("env_args")
    return {**rate, **name, **(kept if isinstance(kept, dict) else {})}


def _write_demo(group: Any, episode: RecordedEpisode, layout: EpisodeLayout, cameras: Collection[str]) -> None:
    sidecar = episode.sidecar()
    kept = sidecar.attributes.get("hdf5")
    for key, value in kept.items() if isinstance(kept, dict) else ():
        group.attrs[key] = value
    group.attrs["num_samples"] = episode.length
    if sidecar.attributes.get("seed") is not None:
        group.attrs["seed"] = sidecar.attributes["seed"]
    if episode.success is not None:
        group.attrs["success"] = episode.success
    for path, values in {**layout.tree(episode, with_pictures=False), **kept_values(sidecar)}.items():
        packed = _PACKED if values.size and values.shape else {}
        group.create_dataset(path, data=values, **packed)
    for name in cameras:
        if name in layout.parts:
            _write_pictures(group, episode, name, layout.parts[name][0])


def _write_pictures(group: Any, episode: RecordedEpisode, name: str, part: Part) -> None:
    path = part.path if part.path not in group else f"{part.path}_picture"
    # A chunk is a picture, so that no more than one is held.
    shape = (episode.length, *part.shape)
    target = group.create_dataset(path, shape, np.uint8, chunks=(1, *part.shape), **_PACKED)
    for row, picture in enumerate(episode.images(name)):
        target[row] = _channels(picture, part.shape[2])


def _channels(picture: Array, channels: int) -> Array:
    """Undo what a recording does to pictures of other than three channels."""
    if channels == 1:
        return picture[..., :1]
    if channels == 4:
        return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=-1)
    return picture
