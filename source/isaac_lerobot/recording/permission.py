"""Permission: which command makes sense in which state, and which settings can still be changed."""

from __future__ import annotations

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording.commands import (
    CloseTask,
    Command,
    Configure,
    Discard,
    End,
    Finish,
    ListTasks,
    OpenTask,
    Pause,
    Quit,
    Reset,
    Resume,
    Start,
)
from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.status import SessionState

_FIXED_BY_THE_DATASET = frozenset(
    {"dataset", "overwrite", "cameras", "state_keys", "observation_keys", "robot_type", "codec", "export"}
)
"""Fields that an open dataset has settled."""

_READ_AT_START = frozenset({"teleop_device", "num_success_steps", "step_hz"})
"""Fields that a running recording has settled."""

RUNNING = frozenset({SessionState.RECORDING, SessionState.PAUSED})
"""States in which a recording runs."""

_ANYWHERE = {Configure, ListTasks, Quit}
_ALLOWED: dict[SessionState, set[type[Command]]] = {
    SessionState.IDLE: {*_ANYWHERE, OpenTask},
    SessionState.LOADING: {Quit},
    SessionState.READY: {*_ANYWHERE, OpenTask, CloseTask, Start, Reset},
    SessionState.RECORDING: {*_ANYWHERE, Pause, End, Discard, Finish},
    SessionState.PAUSED: {*_ANYWHERE, Resume, End, Discard, Finish},
    SessionState.SAVING: {Quit},
    SessionState.FINISHED: {*_ANYWHERE, OpenTask, CloseTask, Start, Reset},
    SessionState.ERROR: {*_ANYWHERE, OpenTask, CloseTask},
}


def allowed_commands(state: SessionState, *, dataset_open: bool, has_frames: bool) -> set[type[Command]]:
    """Return the kinds of command that make sense now.

    Args:
        state: Where the session stands.
        dataset_open: Whether there is a dataset to be finished.
        has_frames: Whether an episode with frames is running.
    """
    allowed = set(_ALLOWED[state])
    if dataset_open and state in (SessionState.READY, SessionState.ERROR):
        allowed.add(Finish)
    if not has_frames:
        allowed.discard(End)
    return allowed


def refusal(command: Command, state: SessionState) -> str:
    """Say why a command that is not among :func:`allowed_commands` is not carried out."""
    kind = type(command)
    if kind is End and End in _ALLOWED[state]:
        return "There is no frame yet, so there is no episode to end."
    wanted = ", ".join(other.value for other, allowed in _ALLOWED.items() if kind in allowed)
    return f"{command.label} is not possible while {state.value}; it is while {wanted}."


def check_change(old: RecordingConfig, new: RecordingConfig, state: SessionState, *, dataset_open: bool) -> None:
    """Make sure that the configuration can be changed now.

    Raises:
        ConfigError: A field is settled already; says which, and what to do.
    """

    def changed(names: frozenset[str]) -> list[str]:
        return sorted(name for name in names if getattr(new, name) != getattr(old, name))

    if state in RUNNING and (late := changed(_READ_AT_START)):
        raise ConfigError(f"{', '.join(late)}: read when a recording starts. Finish this one first.")
    if dataset_open and (settled := changed(_FIXED_BY_THE_DATASET)):
        raise ConfigError(f"{', '.join(settled)}: settled by the open dataset. Finish it first.")
