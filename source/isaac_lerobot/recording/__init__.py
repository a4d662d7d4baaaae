"""What a recording is: its configuration, states, commands, status, success rule and export rule."""

from isaac_lerobot.recording.commands import (
    CloseTask,
    Command,
    Configure,
    Discard,
    End,
    Finish,
    ListTasks,
    OpenTask,
    Outcome,
    Pause,
    Quit,
    Reset,
    Resume,
    SessionState,
    Start,
)
from isaac_lerobot.recording.config import ExportRule, RecordingConfig, SuccessMode
from isaac_lerobot.recording.host import Host, Snapshot
from isaac_lerobot.recording.offer import CameraOffer, DeviceOffer, LeftOut, TaskOffer, TermOffer
from isaac_lerobot.recording.preset import find_preset, read_preset
from isaac_lerobot.recording.selection import Selection, select
from isaac_lerobot.recording.session import Session
from isaac_lerobot.recording.status import Counts, Message, Severity, Status

__all__ = [
    "CameraOffer",
    "CloseTask",
    "Command",
    "Configure",
    "Counts",
    "DeviceOffer",
    "Discard",
    "End",
    "ExportRule",
    "Finish",
    "Host",
    "LeftOut",
    "ListTasks",
    "Message",
    "OpenTask",
    "Outcome",
    "Pause",
    "Quit",
    "RecordingConfig",
    "Reset",
    "Resume",
    "Selection",
    "Session",
    "SessionState",
    "Severity",
    "Snapshot",
    "Start",
    "Status",
    "SuccessMode",
    "TaskOffer",
    "TermOffer",
    "find_preset",
    "read_preset",
    "select",
]
