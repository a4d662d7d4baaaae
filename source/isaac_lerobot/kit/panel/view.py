"""``View``: everything the panel shows, computed from a session's status and from nothing else.

No widget is touched here, so what a person sees in a state can be told, and tested, without drawing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from isaac_lerobot.errors import IsaacLeRobotError
from isaac_lerobot.recording import (
    CloseTask,
    Command,
    Configure,
    DeviceOffer,
    Discard,
    End,
    ExportRule,
    Finish,
    ListTasks,
    OpenTask,
    Pause,
    Reset,
    Resume,
    SessionState,
    Severity,
    Start,
    Status,
    SuccessMode,
    TermOffer,
    select,
)
from isaac_lerobot.sim.drive.devices.bindings import key_hints
from isaac_lerobot.sim.drive.devices.source import TeleopEvent


class Tone(Enum):
    """How a state looks: the panel has a colour for each."""

    NEUTRAL = "neutral"
    BUSY = "busy"
    READY = "ready"
    RECORDING = "recording"
    PAUSED = "paused"
    DONE = "done"
    ERROR = "error"


@dataclass(frozen=True)
class ButtonView:
    """A button: what it says, and whether it can be pressed."""

    text: str
    enabled: bool


@dataclass(frozen=True)
class CameraRow:
    """A camera to choose."""

    name: str
    size: str
    chosen: bool


@dataclass(frozen=True)
class TermRow:
    """An observation term to choose.

    Attributes:
        key: ``group/term``.
        label: What a person reads: the key, and what it does not say.
        size: Its dimension, ``"7"``, or the size of its picture.
        position: Its place in ``observation.state``, from 1; 0 where it is not part of it.
        can_be_state: Whether it is a vector.
        observed: Whether it is recorded as a feature of its own.
    """

    key: str
    label: str
    size: str
    position: int
    can_be_state: bool
    observed: bool


@dataclass(frozen=True)
class DeviceRow:
    """A teleop device to choose."""

    name: str
    label: str


@dataclass(frozen=True)
class View:
    """All of the panel; see :func:`view`."""

    tone: Tone
    state: str
    headline: str
    detail: str
    seconds: str
    frames: str
    progress: float
    progress_text: str
    saved: str
    succeeded: str
    failed: str
    discarded: str
    message: str
    message_severity: Severity
    hint: str
    warning: str

    load: ButtonView
    close: ButtonView
    list_tasks: ButtonView
    record: ButtonView
    pause: ButtonView
    success: ButtonView
    failure: ButtonView
    discard: ButtonView
    finish: ButtonView
    reset: ButtonView

    task: str
    tasks: tuple[str, ...]
    task_editable: bool
    loaded: bool
    choices_editable: bool
    settings_editable: bool
    device_editable: bool
    devices: tuple[DeviceRow, ...]
    device: str
    device_help: str
    cameras: tuple[CameraRow, ...]
    terms: tuple[TermRow, ...]
    features: str
    left_out: str
    success_by_term: bool
    success_term_exists: bool
    success_help: str
    num_demos: int
    task_description: str
    task_description_default: str
    dataset: str
    dataset_help: str


_TONES = {
    SessionState.IDLE: Tone.NEUTRAL,
    SessionState.LOADING: Tone.BUSY,
    SessionState.READY: Tone.READY,
    SessionState.RECORDING: Tone.RECORDING,
    SessionState.PAUSED: Tone.PAUSED,
    SessionState.SAVING: Tone.BUSY,
    SessionState.FINISHED: Tone.DONE,
    SessionState.ERROR: Tone.ERROR,
}
_STATES = {
    SessionState.IDLE: "NO TASK LOADED",
    SessionState.LOADING: "LOADING …",
    SessionState.READY: "READY",
    SessionState.RECORDING: "RECORDING",
    SessionState.PAUSED: "PAUSED",
    SessionState.SAVING: "SAVING …",
    SessionState.FINISHED: "FINISHED",
    SessionState.ERROR: "ERROR",
}


_NOTHING_CHOSEN = (
    "No observation would be recorded. Tick at least one under What to record: State makes it a part of "
    "observation.state, Own a feature of its own."
)


def view(status: Status) -> View:
    """Compute what the panel shows."""
    config, offer, counts = status.config, status.offer, status.counts
    missing, features = _selection(status)
    by_term = config.success is SuccessMode.TERM
    judged_by_term = by_term and offer is not None and offer.has_success_term

    device = _device(status)
    keys = key_hints(device.stands_for or device.name) if device is not None and device.available else {}

    def button(
        command: type[Command], text: str = "", *, only_if: bool = True, key: TeleopEvent | None = None
    ) -> ButtonView:
        hint = f"   [{keys[key]}]" if key in keys else ""
        return ButtonView((text or command.label) + hint, only_if and command in status.allowed)

    return View(
        tone=_TONES[status.state],
        state=_STATES[status.state],
        headline=_headline(status),
        detail=_detail(status, judged_by_term),
        seconds=f"{status.episode_seconds:.1f} s" if _running(status) else "",
        frames=f"{status.episode_frames} frames" if _running(status) else "",
        progress=min(1.0, status.progress / status.target) if status.target else 0.0,
        progress_text=_progress_text(status, judged_by_term),
        saved=f"{counts.saved} +{counts.saving}" if counts.saving else f"{counts.saved}",
        succeeded=f"{counts.succeeded}",
        failed=f"{counts.failed}",
        discarded=f"{counts.discarded}",
        message=status.message.text,
        message_severity=status.message.severity,
        hint=missing or _device_problem(status),
        warning=" ".join(offer.warnings) if offer is not None else "",
        load=button(OpenTask, "Load again" if offer and offer.task == config.task else "", only_if=bool(config.task)),
        close=button(CloseTask),
        list_tasks=button(ListTasks),
        # While paused, the same key resumes.
        record=button(
            Start,
            only_if=not missing,
            key=TeleopEvent.START if status.state is not SessionState.PAUSED else None,
        ),
        pause=(
            button(Resume, key=TeleopEvent.START)
            if status.state is SessionState.PAUSED
            else button(Pause, key=TeleopEvent.STOP)
        ),
        success=button(End, "Success", key=TeleopEvent.SUCCESS),
        failure=button(End, "Failure", key=TeleopEvent.FAILURE),
        discard=button(Discard, key=TeleopEvent.DISCARD),
        finish=button(Finish),
        reset=button(Reset),
        task=config.task,
        tasks=status.tasks,
        task_editable=OpenTask in status.allowed,
        loaded=offer is not None,
        choices_editable=Configure in status.allowed and not status.selection_locked,
        settings_editable=Configure in status.allowed,
        device_editable=Configure in status.allowed and not _running(status),
        devices=_devices(status),
        device=config.teleop_device,
        device_help=_device_problem(status) or _device_help(status),
        cameras=_cameras(status),
        terms=_terms(status),
        features=features,
        left_out="\n".join(f"{item.name} {item.reason}." for item in offer.left_out) if offer else "",
        success_by_term=by_term,
        success_term_exists=offer is None or offer.has_success_term,
        success_help=_success_help(status, judged_by_term),
        num_demos=config.num_demos,
        task_description=config.task_description,
        task_description_default=(offer.description or offer.task) if offer else "",
        dataset=str(config.dataset) if config.dataset else "",
        dataset_help=_dataset_help(config.dataset),
    )


def _running(status: Status) -> bool:
    return status.state in (SessionState.RECORDING, SessionState.PAUSED)


def _headline(status: Status) -> str:
    """What an operator looks for first: which episode this is, or where things stand."""
    match status.state:
        case SessionState.RECORDING | SessionState.PAUSED:
            return f"Episode {status.next_episode}"
        case SessionState.FINISHED | SessionState.SAVING:
            return f"{status.dataset_episodes} episodes in the dataset"
        case _:
            return status.offer.task if status.offer else status.config.task


def _detail(status: Status, judged_by_term: bool) -> str:
    if status.state in (SessionState.FINISHED, SessionState.SAVING):
        return str(status.dataset or "")
    if not _running(status):
        return f"{status.offer.fps} frames per second" if status.offer else ""
    parts = []
    if status.steps_per_second:
        parts.append(f"{status.steps_per_second:.0f} of {status.offer.fps if status.offer else 0} steps/s")
    if judged_by_term and status.success_steps and status.episode_frames:
        parts.append(f"success for {status.success_steps} of {status.config.num_success_steps} steps")
    if status.queue_depth:
        parts.append(f"{status.queue_depth} pictures to encode")
    return "  ·  ".join(parts)


def _progress_text(status: Status, judged_by_term: bool) -> str:
    target = status.target
    unit = "successful demos" if judged_by_term else "demos"
    return f"{status.progress} of {target} {unit}" if target else f"{status.progress} {unit}, no target set"


def _selection(status: Status) -> tuple[str, str]:
    """What still keeps from recording, and the features that would be recorded."""
    if status.offer is None:
        return "", ""
    if not status.config.state_keys and not status.config.observation_keys:
        return _NOTHING_CHOSEN, ""
    try:
        selection = select(status.config, status.offer)
    except IsaacLeRobotError as error:
        return str(error), ""
    missing = "Set the folder to record into, below under Dataset."
    if status.config.dataset is not None or status.config.export is ExportRule.NONE:
        missing = ""
    listed = []
    for name, feature in selection.features.items():
        shape = feature["shape"]
        size = f"{shape[1]}x{shape[0]}" if feature["dtype"] in ("video", "image") else "x".join(map(str, shape))
        listed.append(f"{name} ({size})")
    return missing, "\n".join(listed)


def _dataset_help(dataset: Path | None) -> str:
    """Where a folder lies that was not named in full: the app may have been started anywhere."""
    if dataset is None or dataset.is_absolute():
        return ""
    return f"In full: {dataset.expanduser().absolute()}"


def _cameras(status: Status) -> tuple[CameraRow, ...]:
    if status.offer is None:
        return ()
    chosen = status.config.cameras
    return tuple(
        CameraRow(camera.name, f"{camera.width} x {camera.height}", chosen is None or camera.name in chosen)
        for camera in status.offer.cameras
    )


def _terms(status: Status) -> tuple[TermRow, ...]:
    if status.offer is None:
        return ()
    state, observed = status.config.state_keys, status.config.observation_keys
    return tuple(
        TermRow(
            key=term.key,
            label=term.label,
            size=_size(term),
            position=state.index(term.key) + 1 if term.key in state else 0,
            can_be_state=not term.is_image,
            observed=term.key in observed,
        )
        for term in status.offer.terms
    )


def _size(term: TermOffer) -> str:
    return f"{term.shape[1]} x {term.shape[0]}" if term.is_image else " x ".join(str(extent) for extent in term.shape)


def _devices(status: Status) -> tuple[DeviceRow, ...]:
    chosen = status.config.teleop_device
    offered = status.offer.devices if status.offer else ()
    rows = tuple(
        DeviceRow(device.name, device.label if device.available else f"{device.label} (not available)")
        for device in offered
    )
    return rows if any(row.name == chosen for row in rows) else (*rows, DeviceRow(chosen, chosen))


def _device(status: Status) -> DeviceOffer | None:
    offered = status.offer.devices if status.offer else ()
    return next((device for device in offered if device.name == status.config.teleop_device), None)


def _device_help(status: Status) -> str:
    device = _device(status)
    return device.help if device is not None and device.available else ""


def _device_problem(status: Status) -> str:
    device = _device(status)
    return "" if device is None or device.available else f"{device.label} cannot be used: {device.reason}."


def _success_help(status: Status, judged_by_term: bool) -> str:
    if judged_by_term:
        return f"An episode ends by itself once the term has held for {status.config.num_success_steps} steps."
    if status.offer is None and status.config.success is SuccessMode.TERM:
        return "Where a task has a success term, the term ends its episodes."
    if status.config.success is SuccessMode.TERM:
        return "This task has no success term: end episodes with Success or Failure."
    return "End each episode with Success or Failure."
