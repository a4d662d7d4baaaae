"""Draws the panel as it looks in every state, for looking at: ``make panel``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from host.kit_host import KitHost
from isaac_lerobot.recording import (
    CameraOffer,
    Command,
    Counts,
    DeviceOffer,
    Message,
    RecordingConfig,
    SessionState,
    Severity,
    Status,
    TaskOffer,
    TermOffer,
)
from isaac_lerobot.recording.commands import allowed_commands
from isaac_lerobot.sim.drive.devices.bindings import KEYBOARD_HELP

TASKS = (
    "Isaac-Ant",
    "Isaac-Cartpole",
    "Isaac-Cartpole-RGB-Camera-Direct",
    "Isaac-Humanoid",
    "Isaac-LeRobot-Pick-Cube-v0",
    "Isaac-Lift-Cube-Franka",
    "Isaac-Lift-Cube-Franka-IK-Rel",
    "Isaac-Open-Drawer-Franka",
    "Isaac-Reach-Franka",
    "Isaac-Reach-UR10",
    "Isaac-Repose-Cube-Allegro",
    "Isaac-Stack-Cube-Franka-IK-Rel",
    "Isaac-Stack-Cube-Franka-IK-Rel-Visuomotor",
)
OFFER = TaskOffer(
    task="Isaac-LeRobot-Pick-Cube-v0",
    fps=30,
    num_envs=1,
    action_names=("x", "y", "z", "yaw", "gripper"),
    cameras=(CameraOffer("front", 480, 640), CameraOffer("wrist", 240, 320)),
    terms=(
        TermOffer("policy/joint_pos", (6,), names=tuple(f"joint_{i}" for i in range(6))),
        TermOffer("policy/joint_vel", (6,)),
        TermOffer("policy/eef_pos", (3,), names=("x", "y", "z")),
        TermOffer("policy/gripper", (1,)),
        TermOffer("policy/cube_pos", (3,)),
        TermOffer("policy/front_rgb", (480, 640, 3), "uint8"),
    ),
    devices=(
        DeviceOffer("keyboard", "Keyboard", help=KEYBOARD_HELP),
        DeviceOffer("spacemouse", "SpaceMouse", available=False, reason="No SpaceMouse is plugged in."),
        DeviceOffer("scripted", "Scripted operator"),
    ),
    success_term="success",
    description="Pick up the cube",
)
WARNINGS = (
    "Pictures may be older than the numbers recorded with them: this app does not wait for its renderer.",
    "Record with 'isaac-lerobot panel' instead, which starts Isaac Lab's app.",
)  # what the user's app says of itself (kit.guest.host_app)
CHOSEN = {
    "task": OFFER.task,
    "teleop_device": "keyboard",
    "cameras": ["front", "wrist"],
    "state_keys": ["policy/joint_pos", "policy/gripper"],
    "observation_keys": ["policy/eef_pos"],
    "dataset": "/data/lerobot/pick_cube",
    "num_demos": 200,
}
RECORDING = Status(
    SessionState.RECORDING,
    Message("Saved episode 180 (success, 371 frames)."),
    RecordingConfig.from_mapping(CHOSEN),
    tasks=TASKS,
    offer=OFFER,
    selection_locked=True,
    episode_frames=372,
    episode_seconds=12.4,
    success_steps=4,
    counts=Counts(saved=181, succeeded=176, failed=5, discarded=12),
    progress=176,
    target=200,
    dataset=Path("/data/lerobot/pick_cube"),
    dataset_episodes=181,
    next_episode=181,
    steps_per_second=29.7,
)


class Still:
    """A session that stands still at one status."""

    def __init__(self, status: Status) -> None:
        allowed = allowed_commands(
            status.state, dataset_open=status.selection_locked, has_frames=bool(status.episode_frames)
        )
        self.status = dataclasses.replace(status, allowed=frozenset(allowed))
        self.state = status.state
        self.config = status.config

    def post(self, command: Command) -> None:
        print("posted", command)


def stills() -> dict[str, Status]:
    """Return a status per picture."""
    change = dataclasses.replace
    ready = change(
        RECORDING,
        state=SessionState.READY,
        message=Message("Isaac-LeRobot-Pick-Cube-v0 is loaded."),
        selection_locked=False,
        episode_frames=0,
        episode_seconds=0.0,
        counts=Counts(),
        progress=0,
        steps_per_second=0.0,
        dataset_episodes=0,
    )
    nothing_chosen = RecordingConfig.from_mapping({"task": OFFER.task})
    idle = Status(SessionState.IDLE, Message("Choose a task and load it."), RecordingConfig())
    return {
        "1_idle": idle,
        "2_tasks_listed": change(idle, tasks=TASKS, config=RecordingConfig(task=OFFER.task)),
        "3_loading": change(
            idle,
            state=SessionState.LOADING,
            tasks=TASKS,
            config=nothing_chosen,
            message=Message(f"Loading {OFFER.task} …"),
        ),
        "4_ready_nothing_chosen": change(ready, config=nothing_chosen),
        "5_ready": ready,
        "6_recording": RECORDING,
        "7_paused": change(RECORDING, state=SessionState.PAUSED, message=Message("Paused."), steps_per_second=0.0),
        "8_saving": change(
            RECORDING,
            state=SessionState.SAVING,
            message=Message("Target of 200 demos reached."),
            counts=Counts(saved=203, saving=2, succeeded=200, failed=5, discarded=12),
            progress=200,
            episode_frames=0,
            dataset_episodes=203,
        ),
        "9_finished": change(
            RECORDING,
            state=SessionState.FINISHED,
            selection_locked=False,
            message=Message("Finished: 205 saved, 200 succeeded, 5 failed, 12 discarded, in /data/lerobot/pick_cube."),
            counts=Counts(saved=205, succeeded=200, failed=5, discarded=12),
            progress=200,
            episode_frames=0,
            dataset_episodes=205,
        ),
        "10_error": change(
            idle,
            state=SessionState.ERROR,
            tasks=TASKS,
            config=RecordingConfig.from_mapping(CHOSEN),
            counts=Counts(saved=181, succeeded=176, failed=5, discarded=13),
            progress=176,
            target=200,
            dataset_episodes=181,
            message=Message(
                "The task stopped with an error: RuntimeError: The size of tensor a (7) must match the size of "
                "tensor b (8). Load it again.",
                Severity.ERROR,
            ),
        ),
        "11_warning": change(
            ready,
            message=Message("Pause is not possible while ready; it is while recording.", Severity.WARNING),
        ),
        "12_pictures_may_be_late": change(RECORDING, offer=change(OFFER, warnings=WARNINGS)),
    }


def main(folder: Path) -> None:
    """Draw every state, narrow and wide, and the windows beside the panel."""
    host = KitHost(extensions=[], size=(1400, 1200))
    from isaac_lerobot.kit.panel.panel import TITLE, Panel

    for name, status in stills().items():
        panel = Panel(Still(status))  # type: ignore[arg-type]
        for width, height in ((460, 900), (320, 900), (900, 1150)):
            host.place(TITLE, 10, 10, width, height)
            panel.refresh(force=True)
            host.update(6)
            host.screenshot(folder / f"{name}_{width}.png", TITLE)
        panel.destroy()
        host.update(3)
    _draw_question(host, folder / "question.png")
    _draw_start_failure(host, folder / "start_failure.png")
    host.close()


def _draw_question(host: KitHost, path: Path) -> None:
    from isaac_lerobot.kit.panel.question import Question, closing_while_recording

    words = closing_while_recording(lambda: None, lambda: None, lambda: None)
    question = Question(words)
    host.update(6)
    host.screenshot(path, words.title)
    question.close()
    host.update(3)


def _draw_start_failure(host: KitHost, path: Path) -> None:
    from isaac_lerobot.kit.start_failure import TITLE, StartFailure

    command = "/isaac-sim/python.sh -m pip install 'pyarrow>=21' 'pydantic>=2.10'"
    reason = "pyarrow, pydantic are not installed in this app's Python. Run this in a terminal:"
    failure = StartFailure(f"{reason}\n{command}", lambda: None)
    host.update(6)
    host.screenshot(path, TITLE)
    failure.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
