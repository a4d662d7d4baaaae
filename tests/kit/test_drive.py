"""Somebody drives with the keyboard, in either kind of app, and the real lerobot reads what came of it."""

from __future__ import annotations

import numpy as np
import pytest

from host.play import settings
from isaac_lerobot.recording import SessionState
from lerobot_reader import LerobotReader

NEAR = 0.006  # m: close enough above the cube
ABOVE, AT_THE_CUBE = 0.09, 0.02  # m: heights of the finger tips


class Person:
    """Looks at hand and cube, and holds the keys that bring one to the other."""

    def __init__(self, kit, env):
        self._kit = kit
        self._env = env
        self._held = set()

    @property
    def way(self):
        """From the finger tips to the cube [m]."""
        policy = self._env.obs_buf["policy"]
        return (policy["cube_pos"] - policy["eef_pos"])[0].tolist()

    @property
    def height(self):
        return float(self._env.obs_buf["policy"]["eef_pos"][0, 2])

    def hold(self, *keys):
        for key in self._held - set(keys):
            self._kit.let_go(key)
        for key in set(keys) - self._held:
            self._kit.hold(key)
        self._held = set(keys)

    def steer(self, height):
        """Hold the keys that bring the hand above the cube, at a height; return whether it is there."""
        ahead, left = self.way[:2]
        keys = []
        for distance, more, less in ((ahead, "W", "S"), (left, "A", "D"), (height - self.height, "Q", "E")):
            if abs(distance) > NEAR:
                keys.append(more if distance > 0 else less)
        self.hold(*keys)
        return not keys


@pytest.fixture
def playing(open_recorder, tmp_path):
    """The recorder with the task loaded, the cameras' window in front of it, and its focus there."""
    from host.camera_window import CameraWindow
    from isaac_lerobot.kit.app import current

    operator = open_recorder(**settings(tmp_path / "cube", num_demos=1, step_hz=0, seed=4))
    cameras = CameraWindow(current())
    operator.kit.place("Cameras", 470, 0, 700, 780)
    operator.press("load")
    operator.until_state(SessionState.READY, 300)
    cameras.update()
    operator.kit.click("play.step")
    yield operator
    cameras.close()


def test_a_person_lifts_the_cube_and_lerobot_reads_the_success(playing, tmp_path):
    from isaac_lerobot.kit.app import current

    operator, kit = playing, playing.kit
    person = Person(kit, current().engine.env)

    kit.press("B")
    operator.until_state(SessionState.RECORDING)
    kit.until(lambda: person.steer(ABOVE), 180, "the hand above the cube")

    # What is typed into a field is meant for the field alone, keys that discard and that move among it.
    operator.type("task_description", "Now BRING the cube up")
    status = operator.until(lambda status: status.config.task_description == "Now BRING the cube up")
    assert (status.state, status.counts.discarded, status.counts.failed) == (SessionState.RECORDING, 0, 0)
    assert abs(person.height - ABOVE) < 0.02
    kit.click("play.step")

    kit.until(lambda: person.steer(AT_THE_CUBE), 180, "the hand at the cube")
    kit.press("K")
    closing = operator.status.episode_frames
    operator.until(lambda status: status.episode_frames > closing + 12)
    person.hold("Q")
    status = operator.until(lambda status: status.counts.succeeded == 1, 180)
    person.hold()
    operator.until_state(SessionState.FINISHED)

    reader = LerobotReader()
    dataset = reader.read(tmp_path / "cube")
    reader.close()
    assert [episode["success"] for episode in dataset.episodes] == [True]
    rows = dataset.rows(0)
    assert set(rows["task"]) == {"Pick up the red cube"}, "it began before the description was changed"
    assert rows["action"].shape == (dataset.lengths[0], 7)
    assert rows["observation.cube_pos"][-1, 2] > 0.08 > rows["observation.cube_pos"][0, 2]
    moves = rows["action"][:, :6]
    assert set(np.abs(moves).ravel().tolist()) == {0.0, float(np.float32(0.2))}, "a key's movement, or none"
    assert rows["action"][0, 6] == 1.0
    assert rows["action"][-1, 6] == -1.0
    assert (moves[-1] > 0.0).tolist() == [False, False, True, False, False, False]
    assert rows["observation.images.shoulder"].shape[1:] == (240, 320, 3)
