"""``Choice``: which values of an episode become features, and what each feature is called.

It holds for every episode whose values are all there: those that Isaac Lab's recorder terms have collected, and the
demos of HDF5 files. The names are those of a recording (:mod:`isaac_lerobot.recording.selection`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isaac_lerobot.episode_data.layout import ACTIONS, OBSERVATIONS, EpisodeLayout, Part, is_observation, path_of_key
from isaac_lerobot.errors import ConfigError, nearest
from isaac_lerobot.recording.selection import ACTION, STATE, default_terms, feature_name

_NOTES = ("datagen_info", "subtask_terms")
_NO_PICTURES = "next_obs"


@dataclass(frozen=True)
class Choice:
    """What is to become a feature.

    Attributes:
        state_keys: Observations concatenated, in this order, into ``observation.state``.
        observation_keys: Observations that become features of their own. If neither is named, see
            :func:`.default_terms`.
        cameras: Pictures that become videos; None: all.
        options: What a user calls the two lists of keys, for messages.
    """

    state_keys: tuple[str, ...] = ()
    observation_keys: tuple[str, ...] = ()
    cameras: tuple[str, ...] | None = None
    options: tuple[str, str] = ("state_keys", "observation_keys")

    @property
    def is_made(self) -> bool:
        """Whether somebody chose, so that what is not named is not wanted."""
        return bool(self.state_keys or self.observation_keys)

    def keeps(self, path: str) -> bool:
        """Whether a value that becomes no feature is kept beside the dataset."""
        return not (self.is_made and is_observation(path) and not _is_note(path))


def lay_out(offered: Iterable[Part], choice: Choice) -> EpisodeLayout:
    """Choose from values that have a row per step.

    Without actions and observations, which is what LeRobot is made for, every value becomes a feature that is called
    by its path.

    Args:
        offered: The values.
        choice: What is wanted.

    Raises:
        ConfigError: A key that names none of them, a picture among the state keys, or two sources for one feature.
    """
    parts = {part.path: part for part in offered}
    observations = [part for part in parts.values() if _may_be_observed(part)]
    if not choice.is_made and not observations and ACTIONS not in parts:
        return EpisodeLayout({_name_of_path(part): (part,) for part in parts.values() if not part.obstacle})
    pictures = [part for part in observations if part.is_picture]
    if choice.is_made:
        state = _chosen(choice.state_keys, observations, choice.options[0])
        others = _chosen(choice.observation_keys, observations, choice.options[1])
    else:
        state, others = _usual(observations)
    if refused := [part.path for part in state if part.is_picture]:
        raise ConfigError(
            f"{choice.options[0]} names {refused[0]}, which is a picture. Move it to {choice.options[1]}."
        )
    cameras = pictures if choice.cameras is None else _chosen(choice.cameras, pictures, "cameras")

    laid: dict[str, Sequence[Part]] = {STATE: state} if state else {}
    named = _named([*dict.fromkeys([*others, *cameras])], choice.is_made, taken=tuple(laid))
    laid |= {name: (part,) for name, part in named.items() if not part.is_picture}
    if ACTIONS in parts:
        laid[ACTION] = (parts[ACTIONS],)
    return EpisodeLayout(laid | {name: (part,) for name, part in named.items() if part.is_picture})


def _may_be_observed(part: Part) -> bool:
    """Whether a value may become an observation: what is under ``obs``, and pictures wherever they are."""
    return is_observation(part.path) or (part.is_picture and part.path.partition("/")[0] != _NO_PICTURES)


def _is_note(path: str) -> bool:
    return path.startswith(tuple(f"{OBSERVATIONS}/{group}/" for group in _NOTES))


def _usual(observations: list[Part]) -> tuple[list[Part], list[Part]]:
    """Return the state and the other vectors where nobody chose."""
    by_term = {part.term: part for part in observations if not (part.is_picture or part.obstacle)}
    state, others = default_terms(list(by_term))
    return [by_term[term] for term in state], [by_term[term] for term in others]


def _chosen(keys: Sequence[str], offered: Sequence[Part], option: str) -> list[Part]:
    if repeated := sorted({key for key in keys if list(keys).count(key) > 1}):
        raise ConfigError(f"{option} names {', '.join(repeated)} more than once.")
    by_path = {part.path: part for part in offered}
    found = [_find(key, by_path, option) for key in keys]
    if refused := [part for part in found if part.obstacle]:
        raise ConfigError(f"{option}: '{refused[0].path}' cannot be recorded: it {refused[0].obstacle}.")
    return found


def _find(key: str, by_path: Mapping[str, Part], option: str) -> Part:
    for path in (path_of_key(key), f"{OBSERVATIONS}/{key}", key):
        if path in by_path:
            return by_path[path]
    if found := [part for part in by_path.values() if _words(part)[-1] == key]:
        return found[0]
    if set(by_path) == {OBSERVATIONS}:
        raise ConfigError(
            f"{option}: '{key}' cannot be told apart: the policy group was recorded as one vector. Leave the keys out, "
            "or record with LeRobotRecorderManagerCfg, which splits it."
        )
    known = [path.replace(OBSERVATIONS, "policy", 1) if path.count("/") == 1 else path for path in by_path]
    known = [path.removeprefix(f"{OBSERVATIONS}/") for path in known]
    raise ConfigError(f"{option}: the episode has no observation '{key}'. {nearest(key, known)}")


def _named(parts: list[Part], by_name: bool, taken: tuple[str, ...]) -> dict[str, Part]:
    """Give parts their feature names; the group goes into the name only where the term alone would not do."""
    short = {part: feature_name(_words(part)[-1], is_picture=part.is_picture) for part in parts}
    named: dict[str, Part] = {}
    for part, name in short.items():
        rivals = [other.path for other in parts if short[other] == name and other != part]
        if by_name and (rivals or name in taken):
            rival = rivals[0] if rivals else "the state keys"
            raise ConfigError(f"{part.path} and {rival} would both become {name}. Leave one of them out.")
        whole = feature_name(".".join(_words(part)), is_picture=part.is_picture)
        named[whole if rivals or name in taken else name] = part
    return named


def _name_of_path(part: Part) -> str:
    words = part.path.replace("/", ".")
    return feature_name(words, is_picture=True) if part.is_picture else words.replace("image", "img")


def _words(part: Part) -> list[str]:
    """Return a part's path without ``obs``."""
    words = part.path.split("/")
    return words[1:] if words[0] == OBSERVATIONS and len(words) > 1 else words
