"""``CameraWindow``: what a task's cameras see, and what to press, for who drives in an app without a viewport."""

from __future__ import annotations

from typing import Any

import numpy as np
import omni.ui as ui
from numpy.typing import NDArray
from omni.ui import color as cl

from isaac_lerobot.kit.app import RecorderApp
from isaac_lerobot.kit.panel.keys import WindowKeys
from isaac_lerobot.recording import SessionState, Status

TITLE = "Cameras"
_STEPS = {
    SessionState.IDLE: "Choose a task and load it.",
    SessionState.LOADING: "The simulation is being prepared: a minute or two the very first time.",
    SessionState.READY: "Press  B  and begin. The arm stands still until then.",
    SessionState.RECORDING: "Hand over the cube (W A S D), down to the table (E), close (K), and up (Q).",
    SessionState.PAUSED: "Paused.  B  goes on.",
    SessionState.SAVING: "Your episodes are being completed …",
    SessionState.FINISHED: "Done: your dataset is complete. Close the window, or press  B  and add to it.",
    SessionState.ERROR: "Something went wrong; the panel says what.",
}
_KEYS = (
    (("W  S", "forward, back"), ("A  D", "left, right"), ("Q  E", "up, down"), ("K", "close or open the gripper")),
    (("C  V", "turn the hand"), ("T  G", "tilt the hand"), ("L", "stop"), ("R", "start over")),
    (("B", "begin, go on"), ("P", "pause"), ("Y  N", "success, failure"), ("Backspace", "discard")),
)
_STYLE = {
    "Rectangle::ground": {"background_color": cl("#1b1f24")},
    "Rectangle::frame": {"background_color": cl("#00000000"), "border_color": cl("#f0f3f6"), "border_width": 2},
    "Label::step": {"color": cl("#f2c14e"), "font_size": 19},
    "Label::key": {"color": cl("#ffffff"), "font_size": 15},
    "Label::meaning": {"color": cl("#a5b0bb"), "font_size": 15},
}


class CameraWindow:
    """A window with a camera's picture, another's in its corner, the next step and the keys.

    Args:
        recorder: The recorder whose environment is looked at.
        camera: Name of the camera that shows the scene.
        inset: Name of the one that looks closer.
    """

    def __init__(self, recorder: RecorderApp, camera: str = "shoulder", inset: str = "wrist") -> None:
        self._recorder = recorder
        self._cameras = (camera, inset)
        self._pictures: dict[str, Any] = {name: ui.ByteImageProvider() for name in self._cameras}
        self._shown: dict[str, NDArray[np.uint8]] = {}
        self._window = ui.Window(TITLE, width=760, height=780)
        self._window.frame.set_style(_STYLE)
        with self._window.frame:
            self._build()
        self._keys = WindowKeys(self._window)

    def update(self) -> None:
        """Show what the cameras see now, and what comes next."""
        env = getattr(self._recorder.engine, "env", None)
        sensors = env.scene.sensors if env is not None else {}
        for name in self._pictures.keys() & sensors.keys():
            self._show(name, sensors[name].data.output["rgb"].torch[0, ..., :3].cpu().numpy())
        self._step.text = _step(self._recorder.session.status)

    def focus(self) -> None:
        """Have the keys pressed from now on be this window's."""
        self._window.focus()

    def close(self) -> None:
        """Take the window away."""
        self._keys.close()
        self._window.visible = False
        self._window.destroy()

    def _build(self) -> None:
        camera, inset = self._cameras
        with ui.ZStack():
            ui.Rectangle(name="ground")
            with ui.VStack(spacing=6):
                with ui.ZStack(height=ui.Fraction(1)):
                    self._picture(camera)
                    with ui.HStack():
                        ui.Spacer()
                        with ui.VStack(width=232):
                            ui.Spacer(height=8)
                            with ui.ZStack(height=174):
                                self._picture(inset)
                                ui.Rectangle(name="frame")
                            ui.Spacer()
                        ui.Spacer(width=8)
                self._step = ui.Label("", name="step", height=26, alignment=ui.Alignment.CENTER, identifier="play.step")
                with ui.HStack(height=84):
                    for column in _KEYS:
                        ui.Spacer(width=16)
                        with ui.VStack():
                            for keys, meaning in column:
                                with ui.HStack(height=20):
                                    ui.Label(keys, name="key", width=78)
                                    ui.Label(meaning, name="meaning")

    def _picture(self, name: str) -> None:
        ui.ImageWithProvider(
            self._pictures[name], fill_policy=ui.IwpFillPolicy.IWP_PRESERVE_ASPECT_FIT, identifier=f"play.{name}"
        )

    def _show(self, name: str, picture: NDArray[np.uint8]) -> None:
        if name in self._shown and np.array_equal(self._shown[name], picture):
            return
        self._shown[name] = picture.copy()
        height, width = picture.shape[:2]
        opaque = np.dstack([picture, np.full((height, width), 255, np.uint8)])
        self._pictures[name].set_data_array(opaque, [width, height])


def _step(status: Status) -> str:
    if status.state is SessionState.RECORDING and status.success_steps:
        return f"Hold it …  {status.success_steps} of {status.config.num_success_steps} steps"
    return _STEPS[status.state]
