"""``Mapping``: which datasets of a demo become which features of a LeRobot dataset.

The names are those of a recording: ``action``, ``observation.state``, ``observation.<term>`` and
``observation.images.<term>``, where a key is ``group/term``. HDF5 files keep the terms of the group ``policy`` right
under ``obs``, so ``obs/joint_pos`` is meant by ``joint_pos``, ``policy/joint_pos`` and ``obs/joint_pos``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.errors import ConfigError, DatasetError, nearest
from isaac_lerobot.tools.demo_file import ACTIONS, Demo, Entry

Array = NDArray[Any]

ACTION = "action"
STATE = "observation.state"
STATE_TERMS = ("joint_pos", "joint_positions")
"""Terms that become ``observation.state`` where nothing else is asked for: Isaac Lab's names of joint positions."""

_NO_OBSERVATIONS = ("datagen_info",)
"""Groups under ``obs`` that are no observations but Mimic's notes; they are kept beside the dataset."""

_PICTURE_NAMES = ["height", "width", "channels"]


@dataclass(frozen=True)
class Part:
    """A dataset of the demos that makes up a feature, or a piece of one.

    Attributes:
        path: Its path in a demo, e.g. ``"obs/joint_pos"``.
        shape: Shape of one row.
        dtype: numpy's name of its dtype.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def is_picture(self) -> bool:
        """Whether it holds colour or grey pictures: uint8, height x width x 1, 3 or 4."""
        return self.dtype == "uint8" and len(self.shape) == 3 and self.shape[2] in (1, 3, 4)

    @property
    def size(self) -> int:
        """Numbers in one row."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def term(self) -> str:
        """Its name without ``obs`` and without the group: ``eef_pose.left`` of ``obs/datagen_info/eef_pose/left``."""
        parts = self._parts
        return ".".join(parts[1:] if len(parts) > 1 else parts)

    @property
    def full_name(self) -> str:
        """Its name with the group."""
        return ".".join(self._parts)

    @property
    def _parts(self) -> list[str]:
        parts = self.path.split("/")
        return parts[1:] if parts[0] == "obs" and len(parts) > 1 else parts


@dataclass(frozen=True)
class Wishes:
    """What is to become a feature; everything where nothing is said.

    Attributes:
        state_keys: Terms concatenated into ``observation.state``.
        observation_keys: Terms that become features of their own.
        cameras: Picture terms that become videos; None: all.
    """

    state_keys: tuple[str, ...] = ()
    observation_keys: tuple[str, ...] = ()
    cameras: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Mapping:
    """Features by name, and the parts each is made of.

    Attributes:
        features: LeRobot's definitions, as ``DatasetWriter.create`` takes them.
        parts: The parts of each feature, in the order in which they are concatenated.
    """

    features: dict[str, dict[str, Any]]
    parts: dict[str, tuple[Part, ...]]

    @property
    def paths(self) -> list[str]:
        """Paths of all parts."""
        return [part.path for parts in self.parts.values() for part in parts]

    def differences(self, demo: Demo) -> list[str]:
        """Say in sentences why a demo cannot be converted with this mapping; empty where it can."""
        found = []
        for parts in self.parts.values():
            for part in parts:
                entry = demo.columns.get(part.path)
                if entry is None:
                    found.append(f"it has no {part.path} with {demo.length} rows")
                elif entry.shape[1:] != part.shape:
                    found.append(f"{part.path} has rows of {entry.shape[1:]}, not of {part.shape}")
                elif entry.dtype != part.dtype:
                    found.append(f"{part.path} is {entry.dtype}, not {part.dtype}")
        return found

    def frames(self, block: dict[str, Array]) -> Iterator[dict[str, Array]]:
        """Turn rows by path into frames by feature.

        Args:
            block: Rows of every part, shape ``(n, …)``.
        """
        columns = {name: self._column(name, block) for name in self.features}
        for row in range(len(next(iter(columns.values())))):
            yield {name: column[row] for name, column in columns.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what the way back needs, by feature."""
        return {
            name: [{"path": part.path, "shape": list(part.shape), "dtype": part.dtype} for part in parts]
            for name, parts in self.parts.items()
        }

    def _column(self, name: str, block: dict[str, Array]) -> Array:
        definition, parts = self.features[name], self.parts[name]
        if definition["dtype"] == "video":
            pictures = block[parts[0].path]
            return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures[..., :3]
        shape = (-1, *definition["shape"])
        if len(parts) == 1:
            return block[parts[0].path].astype(definition["dtype"], copy=False).reshape(shape)
        flat = [block[part.path].reshape(len(block[part.path]), -1).astype(definition["dtype"]) for part in parts]
        return np.concatenate(flat, axis=1)


def map_demo(demo: Demo, wishes: Wishes) -> Mapping:
    """Choose from what a demo holds.

    Raises:
        ConfigError: A key that the demo does not have, a picture among the state keys, or two sources for one feature.
        DatasetError: The demo has no actions.
    """
    if ACTIONS not in demo.columns or len(demo.columns[ACTIONS].shape) != 2:
        raise DatasetError(f"{demo.name} has no 'actions' with one row per frame.")
    offered = {path: _part(path, entry) for path, entry in demo.columns.items() if _is_offered(path, entry)}
    pictures = {path: part for path, part in offered.items() if part.is_picture}
    by_name = bool(wishes.state_keys or wishes.observation_keys)
    if by_name:
        state = _chosen(wishes.state_keys, offered, "state_keys")
        others = _chosen(wishes.observation_keys, offered, "observation_keys")
    else:
        state, others = _usual(offered)
    if refused := [part.path for part in state if part.is_picture]:
        raise ConfigError(f"state_keys holds {refused[0]}, which is a picture. Name it among the cameras.")
    cameras = list(pictures.values()) if wishes.cameras is None else _chosen(wishes.cameras, pictures, "cameras")
    named = _named(list(dict.fromkeys([*others, *cameras])), by_name, taken=[STATE] if state else [])

    features: dict[str, dict[str, Any]] = {}
    if state:
        features[STATE] = _vector([name for part in state for name in _element_names(part)])
    features |= {name: _observation(part) for name, part in named.items() if not part.is_picture}
    action = _part(ACTIONS, demo.columns[ACTIONS])
    features[ACTION] = _vector([f"{ACTION}.{index}" for index in range(action.size)])
    features |= {name: _picture(part) for name, part in named.items() if part.is_picture}
    sources = {STATE: tuple(state), ACTION: (action,)} | {name: (part,) for name, part in named.items()}
    return Mapping(features, {name: sources[name] for name in features})


def _is_offered(path: str, entry: Entry) -> bool:
    """Whether a column may become a feature: what is under ``obs``, and pictures wherever they are."""
    part = _part(path, entry)
    group = path.partition("/")[0]
    return part.size > 0 and (group == "obs" or (part.is_picture and group != "next_obs"))


def _usual(offered: dict[str, Part]) -> tuple[list[Part], list[Part]]:
    """Return what becomes the state and what becomes observations where nobody chose."""
    parts = [p for p in offered.values() if not p.is_picture and p.full_name.split(".")[0] not in _NO_OBSERVATIONS]
    positions = [part for part in parts if part.term in STATE_TERMS][:1]
    state = positions or [part for part in parts if part.path == "obs"]
    return state, [part for part in parts if part not in state]


def _chosen(keys: Sequence[str], offered: dict[str, Part], option: str) -> list[Part]:
    if repeated := sorted({key for key in keys if list(keys).count(key) > 1}):
        raise ConfigError(f"{option} names {', '.join(repeated)} more than once.")
    return [_find(key, offered, option) for key in keys]


def _find(key: str, offered: dict[str, Part], option: str) -> Part:
    for path in (f"obs/{key}", f"obs/{key.removeprefix('policy/')}", key):
        if path in offered:
            return offered[path]
    if found := [part for part in offered.values() if part.term == key]:
        return found[0]
    known = [path.removeprefix("obs/") for path in offered]
    raise ConfigError(f"{option}: the demos have no '{key}' to record. {nearest(key, known)}")


def _named(parts: list[Part], by_name: bool, taken: list[str]) -> dict[str, Part]:
    """Give parts their feature names; the group goes into the name only where the term alone would not do."""
    named: dict[str, Part] = {}
    short = {part: f"{_prefix(part)}{part.term}" for part in parts}
    for part, name in short.items():
        rivals = [other.path for other, others_name in short.items() if others_name == name and other != part]
        if rivals and by_name:
            raise ConfigError(f"{part.path} and {rivals[0]} would both become {name}. Leave one of them out.")
        if rivals or name in taken:
            name = f"{_prefix(part)}{part.full_name if part.full_name != part.term else part.path.replace('/', '.')}"
        named[name] = part
    return named


def _prefix(part: Part) -> str:
    return "observation.images." if part.is_picture else "observation."


def _part(path: str, entry: Entry) -> Part:
    return Part(path, entry.shape[1:], entry.dtype)


def _element_names(part: Part) -> list[str]:
    return [part.term] if part.size == 1 else [f"{part.term}.{index}" for index in range(part.size)]


def _vector(names: list[str]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": (len(names),), "names": names}


def _observation(part: Part) -> dict[str, Any]:
    names = _element_names(part) if len(part.shape) <= 1 else None
    return {"dtype": part.dtype, "shape": part.shape or (1,), "names": names}


def _picture(part: Part) -> dict[str, Any]:
    return {"dtype": "video", "shape": (*part.shape[:2], 3), "names": list(_PICTURE_NAMES)}
