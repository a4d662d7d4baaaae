"""``Selection``: from keys a person chose to the features of a LeRobot dataset.

Naming rules: ``action``; the state keys concatenated in their order as ``observation.state``; each further
observation key ``group/term`` as ``observation.<term>``; cameras and picture terms as ``observation.images.<name>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isaac_lerobot.errors import ConfigError, TaskError, nearest
from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.offer import CameraOffer, TaskOffer, TermOffer

ACTION = "action"
STATE = "observation.state"


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
        features[STATE] = _vector("float32", [name for term in state for name in element_names(term)])
    for name, term in observations.items():
        features[name] = {"dtype": term.dtype, "shape": term.shape, "names": _names_or_none(term)}
    features[ACTION] = _vector("float32", list(offer.action_names))
    for name, term in pictures.items():
        features[name] = _picture(term.shape[0], term.shape[1])
    for name, camera in cameras.items():
        features[name] = _picture(camera.height, camera.width)
    return Selection(features, state, observations, pictures, cameras)


def element_names(term: TermOffer) -> list[str]:
    """Return a name per element of a term: its own names, or ``term`` / ``term.0, term.1, …``."""
    if term.names is not None:
        return [f"{term.term}.{name}" for name in term.names]
    size = _size(term.shape)
    return [term.term] if size == 1 else [f"{term.term}.{i}" for i in range(size)]


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


def _names_or_none(term: TermOffer) -> list[str] | None:
    return element_names(term) if len(term.shape) == 1 else None


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
