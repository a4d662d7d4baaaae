"""``EpisodeLayout``: where the values of Isaac Lab's ``EpisodeData`` stand in a LeRobot dataset, and back.

``EpisodeData`` is a tree of tensors with one row per step: ``actions``, ``obs/<term>``, ``states/…``,
``processed_actions``, and ``initial_state/…`` with a single row. A dataset has features for actions and observations;
whatever else the tree holds is kept beside them (see :mod:`isaac_lerobot.dataset.format.sidecar`) under its own path.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import RecordedEpisode
from isaac_lerobot.episode_data.tensors import as_numpy, to_torch
from isaac_lerobot.errors import ConfigError, FeatureError, nearest
from isaac_lerobot.recording import Selection, TermOffer
from isaac_lerobot.recording.selection import ACTION, STATE, feature_name

Tree = dict[str, Any]

LAYOUT = "episode_data"
"""Name under which a layout is kept with a dataset."""

ACTIONS = "actions"
_OBSERVATIONS = "obs"
_INITIAL_STATE = "initial_state/"
_MAIN_GROUP = "policy"
_IMAGES = "observation.images."
_STATE_TERMS = ("joint_pos", "joint_positions")
_BOOKKEEPING = {"timestamp", "frame_index", "episode_index", "index", "task_index"}

NO_KEYS = (
    "At least one of `observation_keys_to_record` or `state_observation_keys` must be configured with at least one "
    "observation; both are empty, so no observation would be recorded."
)
"""What a user reads who has emptied both lists."""


@dataclass(frozen=True)
class Part:
    """A value of ``EpisodeData`` that is a feature, or a piece of one.

    Attributes:
        path: Where it stands in the tree, e.g. ``"obs/joint_pos"``.
        shape: Shape of one row.
        dtype: numpy name of its dtype.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def is_picture(self) -> bool:
        """Whether this is a picture; see :attr:`.TermOffer.is_image`."""
        return TermOffer(self.path, self.shape, self.dtype).is_image


class EpisodeLayout:
    """The parts of each feature, by the feature's name.

    Args:
        parts: A vector feature may have several parts, which are concatenated; all others have one.
    """

    def __init__(self, parts: Mapping[str, Sequence[Part]]) -> None:
        self.parts: dict[str, tuple[Part, ...]] = {name: tuple(some) for name, some in parts.items()}

    @classmethod
    def of_episode(
        cls, values: Mapping[str, Any], state_keys: Sequence[str] | None, observation_keys: Sequence[str] | None
    ) -> EpisodeLayout:
        """Lay out what a recorder manager has collected.

        Args:
            values: Tensors by path, see :func:`flat`; of shape ``(steps, …)``.
            state_keys: Keys (``group/term``) of ``observation.state``; None: not configured.
            observation_keys: Keys of further observations; None: not configured. If neither is configured,
                everything is laid out.

        Raises:
            ConfigError: Both are empty, or a key names nothing that was recorded.
        """
        known = {path: _part(path, value) for path, value in values.items() if _is_observation(path)}
        parts: dict[str, tuple[Part, ...]] = {}
        if state_keys is None and observation_keys is None:
            parts.update(_everything(known))
        else:
            parts.update(_chosen(known, state_keys or (), observation_keys or ()))
        if ACTIONS in values:
            parts[ACTION] = (_part(ACTIONS, values[ACTIONS]),)
        return cls(parts)

    @classmethod
    def of_selection(cls, selection: Selection) -> EpisodeLayout:
        """Lay out what :func:`.select` has chosen, as if Isaac Lab's own recorder terms had collected it."""

        def part(term: TermOffer) -> Part:
            return Part(path_of_key(term.key), term.shape, term.dtype)

        parts: dict[str, tuple[Part, ...]] = {}
        if selection.state:
            parts[STATE] = tuple(part(term) for term in selection.state)
        for name, term in {**selection.observations, **selection.pictures}.items():
            parts[name] = (part(term),)
        for name in selection.cameras:
            shape = tuple(selection.features[name]["shape"])
            parts[name] = (Part(f"{_OBSERVATIONS}/{name.removeprefix(_IMAGES)}", shape, "uint8"),)
        parts[ACTION] = (Part(ACTIONS, tuple(selection.features[ACTION]["shape"]), "float32"),)
        return cls(parts)

    @classmethod
    def of_dataset(cls, features: Mapping[str, Any]) -> EpisodeLayout:
        """Lay out a dataset that says nothing of ``EpisodeData``, from its features' names."""
        parts = {}
        for name, feature in features.items():
            if name in _BOOKKEEPING or feature.is_text:
                continue
            path = ACTIONS if name == ACTION else name
            for prefix in (_IMAGES, "observation."):
                if name.startswith(prefix):
                    path = f"{_OBSERVATIONS}/{name.removeprefix(prefix)}"
                    break
            dtype = "uint8" if feature.is_camera else feature.dtype
            parts[name] = (Part(path, tuple(feature.shape), dtype),)
        return cls(parts)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> EpisodeLayout:
        """Read what :meth:`to_json` gave."""
        return cls({
            name: tuple(Part(path, tuple(shape), dtype) for path, shape, dtype in some)
            for name, some in content.items()
        })  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain lists, to be kept with the dataset."""
        return {name: [[part.path, list(part.shape), part.dtype] for part in some] for name, some in self.parts.items()}

    def features(self) -> dict[str, dict[str, Any]]:
        """Return LeRobot's feature definitions, without the bookkeeping ones."""
        return {name: self._feature(name) for name in self.parts}

    def rows(self, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the frames of an episode.

        Args:
            values: Tensors by path, of shape ``(steps, …)``.

        Raises:
            FeatureError: Values that are features differ in their number of steps.
        """
        steps = {part.path: len(values[part.path]) for some in self.parts.values() for part in some}
        if len(set(steps.values())) > 1:
            counts = ", ".join(f"{path}: {count}" for path, count in steps.items())
            raise FeatureError(f"The episode's values differ in their number of steps ({counts}).")
        columns = {name: self._column(name, values) for name in self.parts}
        for step in range(next(iter(steps.values()), 0)):
            yield {name: column[step] for name, column in columns.items()}

    def beside(self, values: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return what an episode holds that is neither a feature nor an observation, to be kept beside the dataset.

        Args:
            values: Tensors by path.

        Returns:
            What has a row per step, and the rest.
        """
        taken = {part.path for some in self.parts.values() for part in some}
        steps = max((len(values[path]) for path in taken), default=0)
        others = {
            path: as_numpy(value) for path, value in values.items() if path not in taken and not _is_observation(path)
        }
        columns = {
            path: array
            for path, array in others.items()
            if len(array) == steps and array.size and not path.startswith(_INITIAL_STATE)
        }
        return columns, {path: array for path, array in others.items() if path not in columns}

    def tree(self, episode: RecordedEpisode, with_pictures: bool) -> dict[str, NDArray[Any]]:
        """Return a recorded episode's features by path, arrays of shape ``(steps, …)``.

        Args:
            episode: The episode.
            with_pictures: Whether to decode its pictures; they are left out otherwise.
        """
        values: dict[str, NDArray[Any]] = {}
        for name, some in self.parts.items():
            if some[0].is_picture or (len(some[0].shape) == 3 and name.startswith(_IMAGES)):
                if with_pictures:
                    pictures = np.stack(list(episode.images(name)))
                    values[some[0].path] = pictures[..., : some[0].shape[2]]
                continue
            flat_values = episode[name].reshape(episode.length, -1)
            start = 0
            for part in some:
                size = math.prod(part.shape)
                piece = flat_values[:, start : start + size].astype(part.dtype)
                values[part.path] = piece.reshape(episode.length, *part.shape)
                start += size
        return values

    def _feature(self, name: str) -> dict[str, Any]:
        some = self.parts[name]
        first = some[0]
        if first.is_picture:
            return {"dtype": "video", "shape": (*first.shape[:2], 3), "names": ["height", "width", "channels"]}
        if name in (STATE, ACTION):
            names = [element for part in some for element in _element_names(part)]
            dtype = "float32" if name == STATE else first.dtype
            return {"dtype": dtype, "shape": (len(names),), "names": names}
        vector = len(first.shape) < 2
        names_of_vector = _element_names(first) if vector else None
        return {"dtype": first.dtype, "shape": first.shape or (1,), "names": names_of_vector}

    def _column(self, name: str, values: Mapping[str, Any]) -> Any:
        """Return a feature's values, indexable by step."""
        some = self.parts[name]
        if some[0].is_picture:
            # Left where they are: the writer takes one picture at a time, from the GPU as well.
            return _rgb(to_torch(values[some[0].path]))
        arrays = [as_numpy(values[part.path]) for part in some]
        if name in (STATE, ACTION):
            flat_arrays = [array.reshape(len(array), -1) for array in arrays]
            if name == STATE:
                return np.concatenate([array.astype(np.float32) for array in flat_arrays], axis=1)
            return flat_arrays[0]
        return arrays[0].reshape(len(arrays[0]), *(some[0].shape or (1,)))


def path_of_key(key: str) -> str:
    """Return where Isaac Lab's own recorder terms put an observation: those of the policy group stand first."""
    group, _, term = key.partition("/")
    return f"{_OBSERVATIONS}/{term}" if group == _MAIN_GROUP else f"{_OBSERVATIONS}/{key}"


def _part(path: str, value: Any) -> Part:
    tensor = to_torch(value)
    return Part(path, tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))


def _is_observation(path: str) -> bool:
    return path == _OBSERVATIONS or path.startswith(f"{_OBSERVATIONS}/")


def _everything(known: Mapping[str, Part]) -> dict[str, tuple[Part, ...]]:
    """Lay out all observations: a vector of the whole group or the joint positions are the state."""
    parts: dict[str, tuple[Part, ...]] = {}
    leaves = Counter(path.rsplit("/", 1)[-1] for path in known)
    state = next((path for path in known if path == _OBSERVATIONS), None)
    if state is None and "state" not in leaves:
        state = next((path for path in known if path.rsplit("/", 1)[-1] in _STATE_TERMS), None)
    for path, part in known.items():
        if path == state and not part.is_picture:
            parts[STATE] = (part,)
            continue
        leaf = path.rsplit("/", 1)[-1]
        term = leaf if leaves[leaf] == 1 else path.removeprefix(f"{_OBSERVATIONS}/").replace("/", ".")
        parts[feature_name(term, is_picture=part.is_picture)] = (part,)
    return parts


def _chosen(
    known: Mapping[str, Part], state_keys: Sequence[str], observation_keys: Sequence[str]
) -> dict[str, tuple[Part, ...]]:
    if not state_keys and not observation_keys:
        raise ConfigError(NO_KEYS)
    parts: dict[str, tuple[Part, ...]] = {}
    if state_keys:
        parts[STATE] = tuple(_find(key, known, "state_observation_keys") for key in state_keys)
        for part in parts[STATE]:
            if part.is_picture:
                raise ConfigError(f"state_observation_keys names {part.path}, which is a picture. Move it to "
                                  "observation_keys_to_record.")  # fmt: skip
    for key in observation_keys:
        part = _find(key, known, "observation_keys_to_record")
        term = key.rsplit("/", 1)[-1]
        name = feature_name(term, is_picture=part.is_picture)
        if name in parts:
            raise ConfigError(f"observation_keys_to_record: {key} and another key would both be recorded as {name}. "
                              "Leave one of them out.")  # fmt: skip
        parts[name] = (part,)
    return parts


def _find(key: str, known: Mapping[str, Part], option: str) -> Part:
    for path in (path_of_key(key), f"{_OBSERVATIONS}/{key}", key):
        if path in known:
            return known[path]
    if set(known) == {_OBSERVATIONS}:
        raise ConfigError(
            f"{option}: '{key}' cannot be told apart: the recorder terms record the policy group as one vector. Leave "
            "the keys out, or use LeRobotRecorderManagerCfg, which splits it."
        )
    keys = [path.replace(_OBSERVATIONS, _MAIN_GROUP, 1) for path in known]
    raise ConfigError(f"{option}: the episode has no observation '{key}'. {nearest(key, keys)}")


def _element_names(part: Part) -> list[str]:
    term = part.path.rsplit("/", 1)[-1]
    size = math.prod(part.shape)
    return [term] if size == 1 else [f"{term}.{index}" for index in range(size)]


def _rgb(pictures: Any) -> Any:
    if pictures.shape[-1] == 1:
        pictures = pictures.expand(*pictures.shape[:-1], 3)
    pictures = pictures[..., :3]
    return pictures.numpy() if pictures.device.type == "cpu" else pictures
