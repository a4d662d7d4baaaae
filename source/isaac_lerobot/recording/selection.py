"""``Selection``: from keys a person chose to the features of a LeRobot dataset.

Naming rules: ``action``; the state keys concatenated in their order as ``observation.state``; each further
observation key ``group/term`` as ``observation.<term>``; cameras and picture terms as ``observation.images.<name>``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from isaac_lerobot.errors import ConfigError, TaskError, nearest
from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.offer import CameraOffer, TaskOffer, TermOffer

ACTION = "action"
STATE = "observation.state"

MAIN_GROUP = "policy"
"""The group of what a policy observes, as Isaac Lab's tasks call it."""

_JOINT_POSITIONS = ("joint_pos", "joint_positions", "robot_joint_pos")
"""What Isaac Lab's tasks call the terms that hold the robot's joint positions."""
_NO_POSITIONS = re.compile("target|error|desired|command|_cos|_sin")
_ACTIONS = re.compile(r"(\w+_)?actions?")
_LINK_STATES = re.compile(r"links?_(state|pose|vel)")


def feature_name(term: str, *, is_picture: bool) -> str:
    """Return the name of the feature that an observation term or a camera becomes.

    lerobot takes every feature with "image" in its name for a picture, so a vector ``image_features`` is recorded as
    ``observation.img_features``.
    """
    return f"observation.images.{term}" if is_picture else f"observation.{term.replace('image', 'img')}"


_PICTURE_NAMES = ["height", "width", "channels"]


@dataclass(frozen=True)
class Selection:
    """What is recorded of one task.

    Attributes:
        features: LeRobot features by name, as ``DatasetWriter.create`` takes them.
        state: Terms whose values make up ``observation.state``, in order.
        observations: Vector terms by feature name.
        pictures: Picture terms by feature name.
        cameras: Scene cameras by feature name.
    """

    features: dict[str, dict[str, Any]]
    state: tuple[TermOffer, ...]
    observations: dict[str, TermOffer]
    pictures: dict[str, TermOffer]
    cameras: dict[str, CameraOffer]


@dataclass(frozen=True)
class Keys:
    """What is to be recorded of a task, by name.

    Attributes:
        state: Terms concatenated into ``observation.state``.
        observations: Terms that become features of their own.
        cameras: Scene cameras; None: all.
        options: What a user calls the two lists of terms, for messages.
    """

    state: Sequence[str]
    observations: Sequence[str]
    cameras: Sequence[str] | None
    options: tuple[str, str] = ("state_keys", "observation_keys")

    @classmethod
    def of(cls, config: RecordingConfig) -> Keys:
        """Return what a recording names."""
        return cls(config.state_keys, config.observation_keys, config.cameras)

    @property
    def by_option(self) -> dict[str, Sequence[str]]:
        """The names by the option that they were given with."""
        return {self.options[0]: self.state, self.options[1]: self.observations, "cameras": self.cameras or ()}


def check_names(keys: Keys, task: str, terms: Sequence[str], cameras: Sequence[str]) -> None:
    """Make sure that a task has what a recording names.

    Args:
        keys: What the recording names.
        task: Id of the task.
        terms: Keys of its observation terms.
        cameras: Names of its scene's cameras.

    Raises:
        ConfigError: Neither state nor observation keys; a key named twice.
        TaskError: A camera or key that the task does not have, with the nearest ones it has.
    """
    if not keys.state and not keys.observations:
        raise ConfigError(
            f"Neither {' nor '.join(keys.options)} is set, so no observation would be recorded. Choose at least "
            f"one of the task's terms: {', '.join(terms) or 'it has none'}."
        )
    for option, names in keys.by_option.items():
        _refuse_repeats(option, names)
    for option in keys.options:
        for key in keys.by_option[option]:
            if key not in terms:
                raise TaskError(f"{option}: {task} has no observation term '{key}'. {nearest(key, terms)}")
    for name in keys.cameras or ():
        if name not in cameras:
            raise TaskError(f"cameras: {task} has no camera '{name}'. {nearest(name, cameras)}")


def select(config: RecordingConfig, offer: TaskOffer) -> Selection:
    """Choose from what the task offers.

    Raises:
        ConfigError: Another success term than the loaded one, or as :func:`select_keys`.
        TaskError: As :func:`select_keys`.
    """
    if config.success_term not in (None, offer.success_term):
        raise ConfigError(
            f"success_term is '{config.success_term}', and {offer.task} was loaded with "
            f"{offer.success_term or 'none'}. Load it again."
        )
    return select_keys(Keys.of(config), offer)


def select_keys(keys: Keys, offer: TaskOffer) -> Selection:
    """Choose from what the task offers, by names alone.

    Raises:
        ConfigError: As :func:`check_names`; two sources for one feature.
        TaskError: As :func:`check_names`; or a camera or key that cannot be recorded, with why.
    """
    _refuse_left_out(keys, offer)
    terms = {term.key: term for term in offer.terms}
    scene_cameras = {camera.name: camera for camera in offer.cameras}
    check_names(keys, offer.task, list(terms), list(scene_cameras))
    state = tuple(terms[key] for key in keys.state)
    for term in state:
        if term.is_image:
            raise ConfigError(
                f"{keys.options[0]} holds {term.key}, which is a picture. Move it to {keys.options[1]}, or record its "
                "camera."
            )

    taken: dict[str, str] = {STATE: keys.options[0]} if state else {}
    observations: dict[str, TermOffer] = {}
    pictures: dict[str, TermOffer] = {}
    for key in keys.observations:
        term = terms[key]
        name = feature_name(term.term, is_picture=term.is_image)
        _claim(taken, name, key)
        (pictures if term.is_image else observations)[name] = term
    cameras: dict[str, CameraOffer] = {}
    for camera in (scene_cameras[name] for name in (scene_cameras if keys.cameras is None else keys.cameras)):
        name = feature_name(camera.name, is_picture=True)
        _claim(taken, name, f"camera '{camera.name}'")
        cameras[name] = camera

    features: dict[str, dict[str, Any]] = {}
    if state:
        features[STATE] = state_definition(state)
    features |= {name: definition(term) for name, term in observations.items()}
    features[ACTION] = _vector("float32", list(offer.action_names))
    features |= {name: definition(term) for name, term in pictures.items()}
    for name, camera in cameras.items():
        features[name] = _picture(camera.height, camera.width)
    return Selection(features, state, observations, pictures, cameras)


def default_keys(offer: TaskOffer) -> Keys:
    """Return what is recorded of a task where nobody chose: see :func:`default_terms`, and all cameras.

    Of two terms that would get the same feature name, the first.
    """
    cameras = [camera.name for camera in offer.cameras]
    state, others = default_terms(offer.terms, cameras=cameras, robots=offer.robots)
    by_feature: dict[str, str] = {}
    for term in others:
        by_feature.setdefault(feature_name(term.term, is_picture=term.is_image), term.key)
    return Keys(tuple(term.key for term in state), tuple(by_feature.values()), None)


def default_terms(
    terms: Sequence[TermOffer], *, cameras: Collection[str] = (), robots: Collection[str] = ()
) -> tuple[list[TermOffer], list[TermOffer]]:
    """Return what is recorded where nobody chose: the terms of the state, and those that become features of their own.

    The state is the term ``state`` of what a policy observes (:data:`MAIN_GROUP`, or all groups where there is none),
    else the robot's joint positions, of that group if it has them, else every vector of floats. The other numbers that
    a policy observes become features of their own, but for the last action, which would give the answer away, and the
    states of all links, which no robot measures. So do all pictures but those that a recorded camera makes.

    Args:
        terms: The terms there are.
        cameras: The scene's cameras, which are recorded anyway.
        robots: The articulations that are robots, where that is known.
    """
    vectors = [term for term in terms if not (term.is_image or _is_last_action(term) or _is_of_links(term))]
    observed = [term for term in vectors if term.group == MAIN_GROUP]
    if all(term.group != MAIN_GROUP for term in terms):
        observed = vectors
    pictures = [term for term in terms if term.is_image and term.entity not in cameras and term.term not in cameras]
    state = (
        [term for term in observed if term.term == "state"][:1]
        or _joint_positions(observed, robots)
        or _joint_positions(vectors, robots)
        or [term for term in observed if term.dtype.startswith("float") and len(term.shape) == 1]
    )
    return state, [term for term in observed if term not in state] + pictures


def state_definition(terms: Sequence[TermOffer]) -> dict[str, Any]:
    """Return the definition of ``observation.state`` made of these terms."""
    return _vector("float32", [name for term in terms for name in element_names(term)])


def definition(term: TermOffer) -> dict[str, Any]:
    """Return the definition of the feature that a term becomes by itself."""
    if term.is_image:
        return _picture(term.shape[0], term.shape[1])
    names = element_names(term) if len(term.shape) == 1 else None
    return {"dtype": term.dtype, "shape": term.shape, "names": names}


def element_names(term: TermOffer) -> list[str]:
    """Return a name per element of a term: its own names, or ``term`` / ``term.0, term.1, …``."""
    if term.names is not None:
        return [f"{term.term}.{name}" for name in term.names]
    size = _size(term.shape)
    return [term.term] if size == 1 else [f"{term.term}.{i}" for i in range(size)]


def _joint_positions(vectors: Sequence[TermOffer], robots: Collection[str]) -> list[TermOffer]:
    """Return the terms of one group that hold joint positions, each adding joints that those before do not have."""
    chosen: list[TermOffer] = []
    joints: set[tuple[str, str]] = set()
    for term in vectors:
        if not _is_joint_positions(term, robots) or (chosen and term.group != chosen[0].group):
            continue
        own = {(term.entity, name) for name in term.names or ()}
        if not chosen or not own <= joints:
            chosen.append(term)
            joints |= own
    return chosen


def _is_joint_positions(term: TermOffer, robots: Collection[str]) -> bool:
    if robots and term.entity and term.entity not in robots:
        return False
    by_function = "joint_pos" in term.function and not _NO_POSITIONS.search(term.function)
    return by_function or term.term in _JOINT_POSITIONS


def _is_last_action(term: TermOffer) -> bool:
    return "last_action" in term.function or (not term.function and _ACTIONS.fullmatch(term.term) is not None)


def _is_of_links(term: TermOffer) -> bool:
    return _LINK_STATES.search(term.function or term.term) is not None


def _refuse_left_out(keys: Keys, offer: TaskOffer) -> None:
    for option, names in keys.by_option.items():
        for left_out in offer.left_out:
            if left_out.name in names:
                reason = left_out.reason
                raise TaskError(f"{option}: '{left_out.name}' of {offer.task} cannot be recorded: it {reason}.")


def _claim(taken: dict[str, str], feature: str, source: str) -> None:
    if feature in taken:
        raise ConfigError(f"{taken[feature]} and {source} would both be recorded as {feature}. Leave one of them out.")
    taken[feature] = source


def _refuse_repeats(option: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ConfigError(f"{option} names {', '.join(repeated)} more than once.")


def _vector(dtype: str, names: list[str]) -> dict[str, Any]:
    return {"dtype": dtype, "shape": (len(names),), "names": names}


def _picture(height: int, width: int) -> dict[str, Any]:
    return {"dtype": "video", "shape": (height, width, 3), "names": list(_PICTURE_NAMES)}


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
