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


def select(config: RecordingConfig, offer: TaskOffer) -> Selection:
    """Choose from what the task offers.

    Raises:
        ConfigError: Another success term than the loaded one; neither state nor observation keys; a key named twice;
            two sources for one feature.
        TaskError: A camera or key that the task does not have, with the nearest ones it has, or that cannot be
            recorded, with why.
    """
    if not config.state_keys and not config.observation_keys:
        vectors = ", ".join(term.key for term in offer.terms if not term.is_image)
        raise ConfigError(
            "Neither state_keys nor observation_keys is set, so no observation would be recorded. Choose at least "
            f"one of the task's terms: {vectors or 'it has none'}."
        )
    if config.success_term not in (None, offer.success_term):
        raise ConfigError(
            f"success_term is '{config.success_term}', and {offer.task} was loaded with "
            f"{offer.success_term or 'none'}. Load it again."
        )
    state = tuple(_find_term(key, offer, "state_keys") for key in config.state_keys)
    for term in state:
        if term.is_image:
            raise ConfigError(
                f"state_keys holds {term.key}, which is a picture. Move it to observation_keys, or record its camera."
            )
    _refuse_repeats("state_keys", config.state_keys)
    _refuse_repeats("observation_keys", config.observation_keys)
    _refuse_repeats("cameras", config.cameras or ())

    taken: dict[str, str] = {STATE: "state_keys"} if state else {}
    observations: dict[str, TermOffer] = {}
    pictures: dict[str, TermOffer] = {}
    for key in config.observation_keys:
        term = _find_term(key, offer, "observation_keys")
        name = feature_name(term.term, is_picture=term.is_image)
        _claim(taken, name, key)
        (pictures if term.is_image else observations)[name] = term
    cameras: dict[str, CameraOffer] = {}
    for camera in _find_cameras(config.cameras, offer):
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


def _find_term(key: str, offer: TaskOffer, option: str) -> TermOffer:
    for term in offer.terms:
        if term.key == key:
            return term
    _refuse_left_out(key, offer, option)
    known = [term.key for term in offer.terms]
    raise TaskError(f"{option}: {offer.task} has no observation term '{key}'. {nearest(key, known)}")


def _find_cameras(names: Sequence[str] | None, offer: TaskOffer) -> list[CameraOffer]:
    by_name = {camera.name: camera for camera in offer.cameras}
    if names is None:
        return list(offer.cameras)
    for name in names:
        if name not in by_name:
            _refuse_left_out(name, offer, "cameras")
            raise TaskError(f"cameras: {offer.task} has no camera '{name}'. {nearest(name, by_name)}")
    return [by_name[name] for name in names]


def _refuse_left_out(name: str, offer: TaskOffer, option: str) -> None:
    for left_out in offer.left_out:
        if left_out.name == name:
            raise TaskError(f"{option}: '{name}' of {offer.task} cannot be recorded: it {left_out.reason}.")


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
