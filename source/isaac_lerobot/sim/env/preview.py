"""What a task will offer, as far as its configuration says before the environment is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isaac_lerobot.recording import RecordingConfig, TermOffer
from isaac_lerobot.recording.selection import Keys, check_names
from isaac_lerobot.sim.env.offer import COLOUR_OUTPUTS, frames_per_second, function_name


def check_choice(config: RecordingConfig, env_cfg: Any) -> None:
    """Make sure that a task has what a recording names; building its environment may take minutes.

    Args:
        config: The recording.
        env_cfg: Configuration of a manager-based environment.

    Raises:
        ConfigError: Something is named twice, or nothing is.
        TaskError: The task has no such term or camera, or no rate that the format can hold.
    """
    frames_per_second(env_cfg.sim.dt * env_cfg.decimation)
    check_names(Keys.of(config), config.task, list(term_keys(env_cfg)), list(camera_names(env_cfg)))


def term_keys(env_cfg: Any) -> Iterator[str]:
    """Yield the ``group/term`` of each observation term that a configuration holds."""
    return (term.key for term in _terms(env_cfg))


def term_labels(env_cfg: Any) -> Iterator[str]:
    """Yield what a person calls each observation term that a configuration holds, see :attr:`.TermOffer.label`."""
    return (term.label for term in _terms(env_cfg))


def camera_names(env_cfg: Any) -> Iterator[str]:
    """Yield the names of the scene's cameras that a configuration asks colour pictures of."""
    from isaaclab.sensors import CameraCfg

    for name, camera in _members(env_cfg.scene, CameraCfg):
        if set(camera.data_types) & set(COLOUR_OUTPUTS):
            yield name


def termination_terms(env_cfg: Any) -> Iterator[str]:
    """Yield the names of the termination terms that a configuration holds."""
    from isaaclab.managers import TerminationTermCfg

    for name, _ in _members(env_cfg.terminations, TerminationTermCfg):
        yield name


def _terms(env_cfg: Any) -> Iterator[TermOffer]:
    """Yield the observation terms, their shapes unknown."""
    from isaaclab.managers import ObservationGroupCfg, ObservationTermCfg

    for group, group_cfg in _members(env_cfg.observations, ObservationGroupCfg):
        for term, term_cfg in _members(group_cfg, ObservationTermCfg):
            yield TermOffer(f"{group}/{term}", (), function=function_name(term_cfg))


def _members(cfg: Any, kind: type) -> Iterator[tuple[str, Any]]:
    members = cfg if isinstance(cfg, Mapping) else vars(cfg)
    yield from ((name, member) for name, member in members.items() if isinstance(member, kind))
