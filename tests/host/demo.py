"""``make demo``: a dataset recorded by the real extension in a real Kit, its panel operated with the mouse.

Five episodes of the demo task: three that succeed, one that is called a failure by hand, one that is discarded.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from host.kit_host import ROOT, KitHost
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import SessionState, Severity, Status
from isaac_lerobot.recording.progress import ProgressLine
from isaac_lerobot.tools.contact_sheet import draw_contact_sheet

TASK = "Isaac-LeRobot-Pick-Cube-v0"
DESCRIPTION = "Pick up the cube"
WINDOW = "LeRobot Recorder"
PICTURE_AFTER = 30  # frames into the last episode: the gripper has reached the cube
_TIMEOUT = 600.0
_LOOK = 0.5  # seconds; the panel redraws several times in it


class DemoOperator:
    """Presses the panel's buttons and watches the recording, as a person would."""

    def __init__(self, kit: KitHost) -> None:
        from isaac_lerobot.kit.app import current

        recorder = current()
        if recorder is None:
            raise RuntimeError("The extension did not open its recorder.")
        self.kit = kit
        self._session = recorder.session
        self._progress = ProgressLine(sys.stdout)

    @property
    def status(self) -> Status:
        """What the recording is doing."""
        return self._session.status

    def choose_task(self) -> None:
        """Find the demo task in the list and load it."""
        self.kit.type("recorder.task_search", "pick cube")
        self.until(lambda status: TASK in status.tasks, "the list of tasks")
        self.kit.update(2)
        self.kit.click(f"recorder.task.{TASK}")
        self.until(lambda status: status.config.task == TASK, "the chosen task")
        self.kit.click("recorder.load")
        self.until(lambda status: status.state is SessionState.READY, "the loaded task")

    def choose_what_to_record(self, dataset: Path) -> None:
        """Tick keys, name device, folder, target and what the robot does."""
        for key in ("policy/joint_pos", "policy/gripper"):
            if key not in self.status.config.state_keys:
                self.kit.click(f"recorder.state_key.{key}")
                self.until(lambda status, key=key: key in status.config.state_keys, key)
        for key in ("policy/eef_pos", "policy/cube_pos"):
            self.kit.click(f"recorder.observation_key.{key}")
            self.until(lambda status, key=key: key in status.config.observation_keys, key)
        self.kit.choose("recorder.teleop_device", "Scripted operator")
        self._look()  # what is said about the choice moves what stands below it
        self.kit.type("recorder.num_demos", "3")
        self.kit.type("recorder.task_description", DESCRIPTION)
        dataset = Path(os.path.relpath(dataset))  # as a person would type it
        self.kit.type("recorder.dataset", str(dataset))
        expected = {"teleop_device": "scripted", "num_demos": 3, "task_description": DESCRIPTION, "dataset": dataset}
        self.until(lambda status: expected.items() <= dict(status.config).items(), "the settings")

    def record(self, panel_picture: Path) -> None:
        """Record five episodes: success, failure by hand, success, discarded, success."""
        self.kit.click("recorder.record")
        self.until(lambda status: status.counts.succeeded == 1, "a first success")
        self._press_in_mid_episode("recorder.failure", lambda status: status.counts.failed == 1)
        self.until(lambda status: status.counts.succeeded == 2, "a second success")
        self._press_in_mid_episode("recorder.discard", lambda status: status.counts.discarded == 1)
        self.until(lambda status: status.episode_frames >= PICTURE_AFTER, "the last episode")
        self.kit.screenshot(panel_picture, WINDOW)
        self.until(lambda status: status.state is SessionState.FINISHED, "the finished dataset")

    def until(self, condition: Callable[[Status], bool], what: str) -> None:
        """Let Kit run until the status is as wanted, showing progress; stop at an error."""
        deadline = time.monotonic() + _TIMEOUT
        while not condition(status := self.status):
            self._progress.update(status)
            if status.message.severity is Severity.ERROR:
                raise SystemExit(1)
            if time.monotonic() > deadline:
                raise SystemExit(f"Waited {_TIMEOUT:.0f} s in vain for {what}.")
            self.kit.update()
            time.sleep(0.001)
        self._progress.update(self.status)
        self._look()

    def _look(self) -> None:
        """Let the panel show what has changed: a click aims at what is seen."""
        seen = time.monotonic() + _LOOK
        while time.monotonic() < seen:
            self.kit.update()

    def _press_in_mid_episode(self, button: str, condition: Callable[[Status], bool]) -> None:
        self.until(lambda status: status.episode_frames >= 20, "an episode under way")
        self.kit.click(button)
        self.until(condition, f"what {button} does")


def describe(dataset: DatasetReader) -> None:
    """Print what is in a dataset."""
    print(f"\n{'episode':>8} {'frames':>7} {'seconds':>8}  {'success':<9} task")
    for episode in dataset:
        success = {True: "yes", False: "no", None: "undecided"}[episode.success]
        seconds = episode.length / dataset.fps
        print(f"{episode.index:>8} {episode.length:>7} {seconds:>8.1f}  {success:<9} {episode.task}")
    print()
    for name, feature in dataset.features.items():
        print(f"  {name:<28} {feature.dtype:<8} {' x '.join(map(str, feature.shape))}")
    print()


def main() -> None:
    """Record, and say where everything is."""
    folder = ROOT / "datasets" / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    root = folder / "pick-cube"
    print("Starting Kit. The very first start compiles the simulation's kernels, which takes a minute or two.")
    kit = KitHost(settings={"/exts/isaac.lerobot.recorder/step_hz": 0})
    kit.place(WINDOW, 20, 10, 460, 780)
    operator = DemoOperator(kit)
    operator.choose_task()
    operator.choose_what_to_record(root)
    operator.record(folder / "panel.png")
    kit.close()

    sheet = draw_contact_sheet(root, folder / "episodes.png")
    describe(DatasetReader(root))
    print(f"panel: {folder / 'panel.png'}")
    print(f"contact sheet: {sheet}")
    print(f"dataset: {root}", flush=True)


if __name__ == "__main__":
    main()
