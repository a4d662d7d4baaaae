"""``Mapping``: which datasets of a demo become which features of a LeRobot dataset.

The names are those of a recording: ``action``, ``observation.state``, ``observation.<term>`` and
``observation.images.<term>``, where a key is ``group/term``. HDF5 files keep the terms of the group ``policy`` right
under ``obs``, so ``obs/joint_pos`` is meant by ``joint_pos``, ``policy/joint_pos`` and ``obs/joint_pos``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isaac_lerobot.episode_data.layout import EpisodeLayout, Part
from isaac_lerobot.errors import ConfigError, DatasetError, nearest
from isaac_lerobot.recording.selection import ACTION, STATE, feature_name
from isaac_lerobot.tools.demo_blocks import Block
from isaac_lerobot.tools.demo_file import ACTIONS, Array, Demo, Entry

STATE_TERMS = ("joint_pos", "joint_positions")
"""Terms that become ``observation.state`` where nothing else is asked for: Isaac Lab's names of joint positions."""

_NO_OBSERVATIONS = ("datagen_info",)
"""Groups under ``obs`` that are no observations but Mimic's notes; they are kept beside the dataset."""


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

    @property
    def name_observations(self) -> bool:
        """Whether somebody chose, so that what is not named is not wanted."""
        return bool(self.state_keys or self.observation_keys)


class Mapping:
    """A layout of demos, and how to fill its features.

    Args:
        layout: The parts of each feature.
    """

    def __init__(self, layout: EpisodeLayout) -> None:
        self.layout = layout
        self.features = layout.features()
        self.paths = [part.path for parts in layout.parts.values() for part in parts]

    def differences(self, demo: Demo) -> list[str]:
        """Say in sentences why a demo cannot be converted with this mapping; empty where it can."""
        found = []
        for part in (part for parts in self.layout.parts.values() for part in parts):
            entry = demo.columns.get(part.path)
            if entry is None:
                found.append(f"it has no {part.path} with {demo.length} rows")
            elif entry.shape[1:] != part.shape:
                found.append(f"{part.path} has rows of {entry.shape[1:]}, not of {part.shape}")
            elif entry.dtype != part.dtype:
                found.append(f"{part.path} is {entry.dtype}, not {part.dtype}")
        return found

    def frames(self, block: Block) -> Iterator[dict[str, Array]]:
        """Turn rows by path, each of shape ``(n, …)``, into n frames by feature."""
        columns = {name: self._column(name, block) for name in self.features}
        for row in range(len(next(iter(columns.values())))):
            yield {name: column[row] for name, column in columns.items()}

    def _column(self, name: str, block: Block) -> Array:
        definition = self.features[name]
        values = [block[part.path] for part in self.layout.parts[name]]
        if definition["dtype"] == "video":
            pictures = values[0]
            return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures[..., :3]
        if len(values) == 1:
            return values[0].astype(definition["dtype"], copy=False).reshape(-1, *definition["shape"])
        flat = [value.reshape(len(value), -1).astype(definition["dtype"]) for value in values]
        return np.concatenate(flat, axis=1)


def map_demo(demo: Demo, wishes: Wishes) -> Mapping:
    """Choose from what a demo holds.

    Raises:
        ConfigError: A key that the demo does not have, a picture among the state keys, or two sources for one feature.
        DatasetError: The demo has no actions.
    """
    if ACTIONS not in demo.columns or len(demo.columns[ACTIONS].shape) != 2:
        raise DatasetError(f"{demo.name} has no 'actions' with one row per frame.")
    offered = [part_of(path, entry) for path, entry in demo.columns.items() if _is_offered(path, entry)]
    pictures = [part for part in offered if part.is_picture]
    if wishes.name_observations:
        state = _chosen(wishes.state_keys, offered, "state_keys")
        others = _chosen(wishes.observation_keys, offered, "observation_keys")
    else:
        state, others = _usual(offered)
    if refused := [part.path for part in state if part.is_picture]:
        raise ConfigError(f"state_keys holds {refused[0]}, which is a picture. Name it among the cameras.")
    cameras = pictures if wishes.cameras is None else _chosen(wishes.cameras, pictures, "cameras")

    parts: dict[str, tuple[Part, ...]] = {STATE: tuple(state)} if state else {}
    named = _named([*dict.fromkeys([*others, *cameras])], wishes.name_observations, taken=tuple(parts))
    parts |= {name: (part,) for name, part in named.items() if not part.is_picture}
    parts[ACTION] = (part_of(ACTIONS, demo.columns[ACTIONS]),)
    return Mapping(EpisodeLayout(parts | {name: (part,) for name, part in named.items() if part.is_picture}))


def part_of(path: str, entry: Entry) -> Part:
    """Return a column as a part of a feature."""
    return Part(path, entry.shape[1:], entry.dtype)


def _is_offered(path: str, entry: Entry) -> bool:
    """Whether a column may become a feature: what is under ``obs``, and pictures wherever they are."""
    group = path.partition("/")[0]
    return 0 not in entry.shape and (group == "obs" or (part_of(path, entry).is_picture and group != "next_obs"))


def _usual(offered: list[Part]) -> tuple[list[Part], list[Part]]:
    """Return what becomes the state and what becomes observations where nobody chose."""
    parts = [part for part in offered if not part.is_picture and _words(part)[0] not in _NO_OBSERVATIONS]
    state = [part for part in parts if part.path == "obs"]
    if not state and not any(_words(part)[-1] == "state" for part in parts):
        state = [part for part in parts if _words(part)[-1] in STATE_TERMS][:1]
    return state, [part for part in parts if part not in state]


def _chosen(keys: Sequence[str], offered: list[Part], option: str) -> list[Part]:
    if repeated := sorted({key for key in keys if list(keys).count(key) > 1}):
        raise ConfigError(f"{option} names {', '.join(repeated)} more than once.")
    return [_find(key, offered, option) for key in keys]


def _find(key: str, offered: list[Part], option: str) -> Part:
    by_path = {part.path: part for part in offered}
    for path in (f"obs/{key}", f"obs/{key.removeprefix('policy/')}", key):
        if path in by_path:
            return by_path[path]
    if found := [part for part in offered if _words(part)[-1] == key]:
        return found[0]
    known = [path.removeprefix("obs/") for path in by_path]
    raise ConfigError(f"{option}: the demos have no '{key}' to record. {nearest(key, known)}")


def _named(parts: list[Part], by_name: bool, taken: tuple[str, ...]) -> dict[str, Part]:
    """Give parts their feature names; the group goes into the name only where the term alone would not do."""
    short = {part: feature_name(_words(part)[-1], is_picture=part.is_picture) for part in parts}
    named: dict[str, Part] = {}
    for part, name in short.items():
        rivals = [other.path for other in parts if short[other] == name and other != part]
        if rivals and by_name:
            raise ConfigError(f"{part.path} and {rivals[0]} would both become {name}. Leave one of them out.")
        whole = feature_name(".".join(_words(part)), is_picture=part.is_picture)
        named[whole if rivals or name in taken else name] = part
    return named


def _words(part: Part) -> list[str]:
    """Return a part's path without ``obs``."""
    words = part.path.split("/")
    return words[1:] if words[0] == "obs" and len(words) > 1 else words
