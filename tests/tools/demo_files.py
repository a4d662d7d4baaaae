"""HDF5 files of demonstrations for the tests, with known contents, in the layouts that Isaac Lab and Mimic write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FPS = 30
HEIGHT, WIDTH = 48, 64
ENV_ARGS = {
    "env_name": "Isaac-Stack-Cube",
    "type": 2,
    "sim_args": {"dt": 1.0 / 60.0, "decimation": 2, "render_interval": 2, "num_envs": 1},
}


def picture(number: int, row: int, channels: int = 3) -> np.ndarray:
    """A smooth picture that tells demo and frame: codecs keep it within a few grey levels."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [
        80 + 60 * np.sin(x / 20 + row / 9) + 40 * np.cos(y / 17 + number),
        120 + 50 * np.cos(x / 25 - row / 7),
        np.full((HEIGHT, WIDTH), 40 + (7 * row + 31 * number) % 150),
    ]
    return np.stack(planes, axis=-1)[..., :channels].astype(np.uint8)


def quaternions(generator: np.random.Generator, rows: int) -> np.ndarray:
    values = generator.normal(size=(rows, 4))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def demo(number: int, frames: int, *, pictures: bool = True, mimic: bool = False) -> dict[str, Any]:
    """A nested demo as Isaac Lab's recorder terms make it; quaternions are x y z w."""
    generator = np.random.default_rng(number)

    def numbers(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    def state(rows: int) -> dict[str, Any]:
        pose = np.concatenate([numbers(rows, 3), quaternions(generator, rows)], axis=1)
        cube = np.concatenate([numbers(rows, 3), quaternions(generator, rows)], axis=1)
        robot = {
            "root_pose": pose,
            "root_velocity": numbers(rows, 6),
            "joint_position": numbers(rows, 9),
            "joint_velocity": numbers(rows, 9),
        }
        return {
            "articulation": {"robot": robot},
            "rigid_object": {"cube": {"root_pose": cube, "root_velocity": numbers(rows, 6)}},
        }

    obs: dict[str, Any] = {
        "actions": numbers(frames, 7),
        "joint_pos": numbers(frames, 9),
        "joint_vel": numbers(frames, 9),
        "gripper": np.arange(frames, dtype=np.int64) % 2,
        "grasped": (np.arange(frames) > frames // 2)[:, None],
    }
    if pictures:
        obs["table_cam"] = np.stack([picture(number, row) for row in range(frames)])
        obs["wrist_cam"] = np.stack([picture(number + 5, row) for row in range(frames)])
    if mimic:
        obs["datagen_info"] = {
            "eef_pose": {"franka": numbers(frames, 4, 4)},
            "object_pose": {"cube": numbers(frames, 4, 4)},
            "subtask_term_signals": {"grasp": np.arange(frames) > 3},
            "target_eef_pose": {"franka": numbers(frames, 4, 4)},
        }
        obs["subtask_terms"] = {"grasp": (np.arange(frames) > 3)[:, None]}
    return {
        "actions": numbers(frames, 7),
        "processed_actions": numbers(frames, 8),
        "obs": obs,
        "initial_state": state(1),
        "states": state(frames),
    }


def write_file(
    path: Path,
    demos: Sequence[Mapping[str, Any]],
    *,
    success: Sequence[bool | None] = (),
    seeds: Sequence[int | None] = (),
    format_version: int | None = 1,
    env_args: Mapping[str, Any] | None = ENV_ARGS,
    names: Sequence[str] = (),
) -> Path:
    """Write demos as ``HDF5DatasetFileHandler`` does; ``format_version=None``: as it did before it had one."""
    with h5py.File(path, "w") as file:
        if format_version is not None:
            file.attrs["format_version"] = format_version
        data = file.create_group("data")
        data.attrs["total"] = sum(len(one["actions"]) for one in demos if "actions" in one)
        if env_args is not None:
            data.attrs["env_args"] = json.dumps(env_args)
        for number, one in enumerate(demos):
            group = data.create_group(names[number] if names else f"demo_{number}")
            group.attrs["num_samples"] = len(one.get("actions", ()))
            if number < len(success) and success[number] is not None:
                group.attrs["success"] = success[number]
            if number < len(seeds) and seeds[number] is not None:
                group.attrs["seed"] = seeds[number]
            _write(group, one)
    return path


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every array of a nested demo, by path."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}/{key}" if prefix else key
        found |= flat(value, path) if isinstance(value, Mapping) else {path: value}
    return found


def wxyz(values: Any, key: str = "") -> Any:
    """The same demo with the quaternions of root poses as w x y z: layout version 0."""
    if isinstance(values, Mapping):
        return {name: wxyz(value, name) for name, value in values.items()}
    return values[..., [0, 1, 2, 6, 3, 4, 5]] if key == "root_pose" else values


def _write(group: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            _write(group.create_group(key), value)
        else:
            group.create_dataset(key, data=value, compression="gzip", compression_opts=2)
