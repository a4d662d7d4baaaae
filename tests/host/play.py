"""``make play``: drive the demo task's arm with the keyboard, in a window, and record what you do.

The real extension in the bare Kit kernel, the real omni.ui, Isaac Lab's differential inverse kinematics on Newton.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host.demo import describe
from host.kit_host import KitHost
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import OpenTask

if TYPE_CHECKING:
    from host.camera_window import CameraWindow

TASK = "Isaac-LeRobot-Pick-Cube-IK-Rel-v0"
PANEL = "LeRobot Recorder"
DEMOS = 3

NO_DISPLAY = """\
There is no display to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set. Over ssh, forward one (ssh -X).
Without any, `make demo` records the task with a script in your place.
"""


def settings(dataset: Path, **more: Any) -> dict[str, Any]:
    """Return the recorder's settings for somebody who plays."""
    return {
        "task": TASK,
        "dataset": str(dataset),
        "num_demos": DEMOS,
        "state_keys": ["policy/joint_pos", "policy/gripper"],
        "observation_keys": ["policy/eef_pos", "policy/cube_pos"],
        **more,
    }


def play(dataset: Path) -> None:
    """Open the windows and let somebody drive until they close the app."""
    values = {f"/exts/isaac.lerobot.recorder/{name}": value for name, value in settings(dataset).items()}
    kit = KitHost(settings=values, app="bare", title="LeRobot Recorder: pick up the cube", size=(1260, 800))
    cameras = open_windows(kit)
    while kit.running:
        kit.update()
        cameras.update()
        time.sleep(0.001)
    cameras.close()
    kit.close()


def open_windows(kit: KitHost) -> CameraWindow:
    """Open the cameras' window beside the panel, and load the task."""
    from host.camera_window import TITLE, CameraWindow
    from isaac_lerobot.kit.app import current

    kit.until(current, what="the recorder")
    recorder = current()
    assert recorder is not None
    cameras = CameraWindow(recorder)
    kit.place(TITLE, 8, 8, 772, 784)
    kit.place(PANEL, 788, 8, 464, 784)
    cameras.focus()
    recorder.session.post(OpenTask())
    return cameras


def main() -> int:
    """Play, and say where it went."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        print(NO_DISPLAY, end="", file=sys.stderr)
        return 1
    root = Path("datasets", f"play-{datetime.now():%Y%m%d-%H%M%S}").absolute()
    print("Starting Kit. The very first start compiles the simulation's kernels, which takes a minute or two.")
    play(root)
    if not root.is_dir():
        print("Nothing was recorded.")
        return 0
    describe(DatasetReader(root))
    print(f"dataset: {root}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
