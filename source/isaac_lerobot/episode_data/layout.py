"""``EpisodeLayout``: where the values of Isaac Lab's ``EpisodeData`` stand in a LeRobot dataset, and back.

``EpisodeData`` is a tree of tensors with one row per step: ``actions``, ``obs/<term>``, ``states/…``,
``processed_actions``, and ``initial_state/…`` with a single row. A dataset has features for actions and observations;
whatever else the tree holds is kept beside them (see :mod:`isaac_lerobot.dataset.format.sidecar`) under its own path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import DatasetReader, RecordedEpisode
from isaac_lerobot.episode_data.tensors import as_numpy, three_channels, to_torch
from isaac_lerobot.errors import DatasetError, FeatureError
from isaac_lerobot.recording import Selection, TermOffer
from isaac_lerobot.recording.selection import ACTION, MAIN_GROUP, STATE, definition, state_definition

LAYOUT = "episode_data"
"""Name under which a layout is kept with a dataset."""

ACTIONS = "actions"
OBSERVATIONS = "obs"
_IMAGES = "observation.images."
_BOOKKEEPING = {"timestamp", "frame_index", "episode_index", "index", "task_index"}


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
        return self.term.is_image

    @property
    def obstacle(self) -> str:
        """Why it cannot be a feature, as the end of a sentence; empty where it can. See :attr:`.TermOffer.obstacle`."""
        return self.term.obstacle

    @property
    def term(self) -> TermOffer:
        """The observation term that it is: its group, and its name without whatever is between."""
        words = self.path.split("/")
        if words[0] == OBSERVATIONS and len(words) > 1:
            words = words[1:]
        group = words[0] if len(words) > 1 else MAIN_GROUP
        return TermOffer(f"{group}/{words[-1]}", self.shape or (1,), self.dtype)


class EpisodeLayout:
    """The parts of each feature, by the feature's name.

    Args:
        parts: A vector feature may have several parts, which are concatenated; all others have one.
    """

    def __init__(self, parts: Mapping[str, Sequence[Part]]) -> None:
        self.parts: dict[str, tuple[Part, ...]] = {name: tuple(some) for name, some in parts.items()}

    @classmethod
    def of_selection(cls, selection: Selection) -> EpisodeLayout:
        """Lay out what :func:`.select` has chosen, as if Isaac Lab's own recorder terms had collected it."""

        def part(term: TermOffer) -> Part:
            return Part(path_of_key(term.key), () if term.is_scalar else term.shape, term.dtype)

        parts: dict[str, tuple[Part, ...]] = {}
        if selection.state:
            parts[STATE] = tuple(part(term) for term in selection.state)
        for name, term in {**selection.observations, **selection.pictures}.items():
            parts[name] = (part(term),)
        for name in selection.cameras:
            shape = tuple(selection.features[name]["shape"])
            parts[name] = (Part(f"{OBSERVATIONS}/{name.removeprefix(_IMAGES)}", shape, "uint8"),)
        parts[ACTION] = (Part(ACTIONS, tuple(selection.features[ACTION]["shape"]), "float32"),)
        return cls(parts)

    @classmethod
    def of_dataset(cls, dataset: DatasetReader) -> EpisodeLayout:
        """Return what is kept with a dataset; for one that says nothing of it, what its features' names tell.

        Raises:
            DatasetError: What is kept does not fit the features.
        """
        kept = dataset.attributes.get("attributes", {}).get(LAYOUT)
        if kept:
            layout = cls.from_json(kept)
            layout._need_features(dataset)
            return layout
        parts: dict[str, tuple[Part, ...]] = {}
        for name, feature in dataset.features.items():
            if name in _BOOKKEEPING or feature.is_text:
                continue
            path = ACTIONS if name == ACTION else name
            for prefix in (_IMAGES, "observation."):
                if name.startswith(prefix):
                    path = f"{OBSERVATIONS}/{name.removeprefix(prefix)}"
                    break
            dtype = "uint8" if feature.is_camera else feature.dtype
            parts[name] = (Part(path, tuple(feature.shape), dtype),)
        if STATE in parts:
            (state,) = parts[STATE]
            terms = _terms(dataset.features[STATE].names, state.shape[0])
            parts[STATE] = tuple(Part(f"{OBSERVATIONS}/{term}", (size,), state.dtype) for term, size in terms.items())
        return cls(parts)

    @classmethod
    def from_json(cls, content: Any) -> EpisodeLayout:
        """Read what :meth:`to_json` gave.

        Raises:
            DatasetError: It is nothing of the kind.
        """
        try:
            return cls({name: [_part(*one) for one in some] for name, some in content.items()})
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise DatasetError(f"What is kept under '{LAYOUT}' beside the dataset is no layout: {error}.") from None

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain lists, to be kept with the dataset."""
        return {name: [[part.path, list(part.shape), part.dtype] for part in some] for name, some in self.parts.items()}

    @property
    def paths(self) -> list[str]:
        """Paths of everything that is a feature, or a piece of one."""
        return [part.path for some in self.parts.values() for part in some]

    def features(self) -> dict[str, dict[str, Any]]:
        """Return LeRobot's feature definitions, without the bookkeeping ones."""
        return {name: self._feature(name) for name in self.parts}

    def rows(self, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the frames of an episode.

        Args:
            values: Tensors or arrays by path, of shape ``(steps, …)``.

        Raises:
            FeatureError: Values that are features differ in their number of steps.
        """
        steps = {path: len(values[path]) for path in self.paths}
        if len(set(steps.values())) > 1:
            counts = ", ".join(f"{path}: {count}" for path, count in steps.items())
            raise FeatureError(f"The episode's values differ in their number of steps ({counts}).")
        columns = {name: self._column(name, values) for name in self.parts}
        for step in range(next(iter(steps.values()), 0)):
            yield {name: column[step] for name, column in columns.items()}

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

    def _need_features(self, dataset: DatasetReader) -> None:
        for name, some in self.parts.items():
            feature = dataset.features.get(name)
            if feature is None or not some:
                raise DatasetError(f"'{LAYOUT}' beside {dataset.root} names {name}, which is no feature of it.")
            if feature.is_camera:
                fits = [part.shape[:2] for part in some] == [feature.shape[:2]] and some[0].is_picture
            else:
                fits = sum(math.prod(part.shape) for part in some) == math.prod(feature.shape)
            if not fits or min((0, *(extent for part in some for extent in part.shape))) < 0:
                raise DatasetError(f"'{LAYOUT}' beside {dataset.root} does not fit the size of {name}.")

    def _feature(self, name: str) -> dict[str, Any]:
        terms = [part.term for part in self.parts[name]]
        return state_definition(terms) if name == STATE else definition(terms[0])

    def _column(self, name: str, values: Mapping[str, Any]) -> Any:
        """Return a feature's values, indexable by step."""
        some = self.parts[name]
        if some[0].is_picture:
            # Left where they are: the writer takes one picture at a time, from the GPU as well.
            return _pictures(values[some[0].path])
        arrays = [as_numpy(values[part.path]) for part in some]
        if name in (STATE, ACTION):
            flat_arrays = [array.reshape(len(array), -1) for array in arrays]
            if name == STATE:
                return np.concatenate([array.astype(np.float32) for array in flat_arrays], axis=1)
            return flat_arrays[0]
        return arrays[0].reshape(len(arrays[0]), *(some[0].shape or (1,)))


def _part(path: str, shape: Sequence[int], dtype: str) -> Part:
    return Part(str(path), tuple(map(int, shape)), np.dtype(dtype).name)


def path_of_key(key: str) -> str:
    """Return where Isaac Lab's own recorder terms put an observation: those of the policy group stand first."""
    group, _, term = key.partition("/")
    return f"{OBSERVATIONS}/{term}" if group == MAIN_GROUP else f"{OBSERVATIONS}/{key}"


def is_observation(path: str) -> bool:
    """Whether a value of ``EpisodeData`` is an observation."""
    return path == OBSERVATIONS or path.startswith(f"{OBSERVATIONS}/")


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


def _pictures(pictures: Any) -> Any:
    if not isinstance(pictures, np.ndarray):
        pictures = to_torch(pictures)
        if pictures.device.type == "cpu":
            pictures = pictures.numpy()
    return three_channels(pictures)
