"""The way of a frame through the product is the one that docs/how-it-works.md shows."""

import re
import sys
import traceback
from pathlib import Path

import pytest

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.dataset.video.encoder import VideoStream
from isaac_lerobot.recording import OpenTask, SessionState, Start
from isaac_lerobot.sim.drive.driver import Driver
from sim.recordings import message_after, session_for, tick_until

PRODUCT = Path(isaac_lerobot.__file__).parent
HOW_IT_WORKS = Path(__file__).parents[2] / "docs/how-it-works.md"
SHOWN = re.findall(r"^\d\. `([\w/]+\.py)`", HOW_IT_WORKS.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture
def recording(tmp_path):
    session = session_for(
        TASK_ID, tmp_path / "set", teleop_device="scripted", state_keys=["policy/joint_pos"], cameras=["front"]
    )
    driver = Driver(session)
    session.post(OpenTask())
    tick_until(driver, SessionState.READY)
    assert message_after(driver, Start()).state is SessionState.RECORDING
    yield driver
    driver.shutdown()


def test_a_picture_passes_nine_files_at_most(recording, monkeypatch):
    entered, on_stack = set(), []
    put = VideoStream.put

    def watched(stream, *args):
        # From the step inwards: what is outside of Isaac Lab's step is the loop, not the frame's way.
        inwards = [Path(frame.f_code.co_filename) for frame, _ in traceback.walk_stack(None)]
        step = next(depth for depth, file in enumerate(inwards) if file.match("isaaclab/envs/*.py"))
        on_stack.extend(inwards[:step])
        return put(stream, *args)

    def note(frame, event, _):
        if event == "call":
            entered.add(Path(frame.f_code.co_filename))

    monkeypatch.setattr(VideoStream, "put", watched)
    sys.setprofile(note)
    try:
        recording.tick()
    finally:
        sys.setprofile(None)
    assert on_stack
    assert {str(file.relative_to(PRODUCT)) for file in on_stack if file.is_relative_to(PRODUCT)} <= set(SHOWN)
    assert {PRODUCT / file for file in SHOWN} <= entered
    assert len(SHOWN) <= 9
