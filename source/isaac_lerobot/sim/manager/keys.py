"""The two lists of observation keys, by the names that Isaac Lab's users know them by."""

from __future__ import annotations

from collections.abc import Sequence

from isaac_lerobot.episode_data.choice import Choice
from isaac_lerobot.errors import ConfigError

OPTIONS = ("state_observation_keys", "observation_keys_to_record")


def check_keys(state_keys: Sequence[str] | None, observation_keys: Sequence[str] | None) -> None:
    """Make sure that something may be recorded; None: a list that nobody set.

    Raises:
        ConfigError: A list was set, and nothing stands in either.
    """
    given = [keys for keys in (state_keys, observation_keys) if keys is not None]
    if given and not any(given):
        raise ConfigError(
            "At least one of `observation_keys_to_record` or `state_observation_keys` must be configured with at least "
            "one observation; both are empty, so no observation would be recorded."
        )


def choice_of(state_keys: Sequence[str] | None, observation_keys: Sequence[str] | None) -> Choice:
    """Return what becomes a feature of an episode that recorder terms have collected.

    Raises:
        ConfigError: See :func:`check_keys`.
    """
    check_keys(state_keys, observation_keys)
    choice = Choice(tuple(state_keys or ()), tuple(observation_keys or ()), options=OPTIONS)
    return Choice(choice.state_keys, choice.observation_keys, (), OPTIONS) if choice.is_made else choice
