"""``isaac-lerobot panel``: Isaac Lab's own app with the recorder's panel in it."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from isaac_lerobot.app.exit_codes import AFTER_SIGNAL
from isaac_lerobot.app.extension_folder import EXTENSION_ID, extension_folder, presets_folder
from isaac_lerobot.app.launcher import add_launcher_flags, require_isaac_sim, run_launched
from isaac_lerobot.app.options import add_recording_options, recording_config
from isaac_lerobot.errors import IsaacLeRobotError
from isaac_lerobot.recording import RecordingConfig

SETTINGS = f"/exts/{EXTENSION_ID}"
"""Kit setting below which the extension looks for each field of the configuration."""


def add_panel_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for everything a recording can be told, and Isaac Lab's launcher flags."""
    add_recording_options(parser, without={"device"})
    add_launcher_flags(parser)
    parser.set_defaults(run=run_panel)


def run_panel(args: argparse.Namespace) -> int:
    """Run the app until its window is closed.

    Returns:
        Exit code: 0 when the window was closed, 130 after Ctrl+C, 143 after SIGTERM; the dataset is complete after
        each.

    Raises:
        ConfigError: Isaac Sim is not installed in full, or an option cannot be used.
    """
    config = recording_config(args, presets_folder())
    folder = extension_folder()
    require_isaac_sim("The panel")
    visualizers = [name for name in getattr(args, "visualizer", None) or () if name != "kit"]
    # Cameras make Isaac Lab choose its rendering experience, whose settings keep pictures and states together.
    arguments = {**vars(args), "require_kit": True, "enable_cameras": True, "visualizer": ["kit", *visualizers]}
    if config.device is not None:
        arguments |= {"device": config.device, "device_explicit": True}
    return run_launched(None, arguments, lambda: _show(folder, kit_settings(config)))


def kit_settings(config: RecordingConfig) -> dict[str, Any]:
    """Return the Kit settings that hold what was asked for, by path; what was not is left to the panel's memory."""
    if config.dataset is not None:
        config = config.changed({"dataset": config.dataset.expanduser().absolute()})
    values = config.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {f"{SETTINGS}/{name}": value for name, value in values.items()}


def _show(folder: Path, values: Mapping[str, Any]) -> int:
    import omni.kit.app

    app = omni.kit.app.get_app()
    manager = app.get_extension_manager()
    # Here, and not on Kit's command line: that is parted at spaces, and a folder's name may hold one.
    _apply(values)
    manager.add_path(str(folder.parent))
    manager.set_extension_enabled_immediate(EXTENSION_ID, True)
    if not manager.is_extension_enabled(EXTENSION_ID):
        raise IsaacLeRobotError(f"Kit did not start the extension {EXTENSION_ID} in {folder.parent}. Its log says why.")
    with _Signals() as signals:
        while app.is_running() and signals.first is None:
            app.update()
        if signals.first is not None:
            print("Interrupted: the dataset is completed, then the app ends.", file=sys.stderr, flush=True)
        # Kit may end the process without shutting its extensions down: the dataset is completed before.
        manager.set_extension_enabled_immediate(EXTENSION_ID, False)
        return 0 if signals.first is None else AFTER_SIGNAL + signals.first


def _apply(values: Mapping[str, Any]) -> None:
    import carb.settings

    settings = carb.settings.get_settings()
    for path, value in values.items():
        if isinstance(value, list) and value:
            settings.set_string_array(path, value)
        else:
            settings.set(path, "" if value == [] else value)  # Kit has no empty list


class _Signals:
    """Hears of the first Ctrl+C or SIGTERM, whoever has put a handler of theirs in place meanwhile.

    Isaac Lab's Kit visualizer does so while it draws, and what it raises afterwards is lost in Kit's update. A second
    signal ends the process in the middle of things.
    """

    def __enter__(self) -> _Signals:
        self._number: int | None = None
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        self._previous_fd = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()

    @property
    def first(self) -> int | None:
        """Number of the first signal that has come, None while none has."""
        if self._number is None:
            try:
                received = self._read.recv(16)
            except BlockingIOError:
                return None
            self._number = next((number for number in received if number in self._previous), None)
        return self._number

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._number is not None:
            raise KeyboardInterrupt
