"""A real task recorded with the mouse, and what the real LeRobotDataset reads of it afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from isaac_lerobot.recording import Configure, SessionState, Severity
from lerobot_reader import LerobotReader

TASK = "Isaac-LeRobot-Pick-Cube-v0"
FRAMES = 6


@pytest.fixture
def steps(open_recorder):
    """Every observation and action of the environment, as it had them, in the order of its steps."""
    taken = []

    def watch(recorder):
        manager = recorder.engine.env.recorder_manager
        record_pre_step = manager.record_pre_step

        def watching():
            env = recorder.engine.env
            terms = env.obs_buf["policy"]
            taken.append(
                {
                    "state": np.concatenate([terms["gripper"][0].cpu(), terms["joint_pos"][0].cpu()]),
                    "eef_pos": terms["eef_pos"][0].cpu().numpy().copy(),
                    "action": env.action_manager.action[0].cpu().numpy().copy(),
                    "front": env.scene.sensors["front"].data.output["rgb"].torch[0, ..., :3].cpu().numpy().copy(),
                }
            )
            return record_pre_step()

        manager.record_pre_step = watching
        return taken

    return watch


def test_record_by_hand(open_recorder, steps, tmp_path):
    from isaac_lerobot.kit.app import current

    root = tmp_path / "cube"
    operator = open_recorder(task=TASK, seed=1, step_hz=0)
    operator.press("load")
    assert operator.text("state") in ("LOADING …", "READY")
    operator.until_state(SessionState.READY, 300)
    assert operator.text("hint"), "the folder is missing"
    assert not operator.enabled("record")

    # What to record, in an order of its own, without the second camera.
    operator.kit.click("recorder.state_key.policy/gripper")
    operator.look()
    operator.kit.click("recorder.state_up.policy/gripper")
    operator.look()
    assert operator.status.config.state_keys == ("policy/gripper", "policy/joint_pos")
    assert operator.text("state_position.policy/gripper") == "1"
    assert {"policy/eef_pos", "policy/cube_pos"} <= set(operator.status.config.observation_keys), "what is suggested"
    operator.kit.click("recorder.observation_key.policy/cube_pos")
    operator.look()
    assert "policy/cube_pos" not in operator.status.config.observation_keys
    operator.kit.click("recorder.camera.wrist")
    operator.look()
    assert operator.status.config.cameras == ("front",)
    operator.choose("teleop_device", "Random actions")
    operator.press("success_by.manual")
    operator.type("num_demos", "2")
    operator.type("task_description", "Pick up the cube")
    operator.type("dataset", str(root))

    config = operator.status.config
    assert (config.teleop_device, config.success, config.num_demos) == ("random", "manual", 2)

    taken = steps(current())
    operator.press("record")
    assert operator.text("state") == "RECORDING"
    assert not operator.kit.find("recorder.camera.wrist").enabled, "an open dataset has settled its features"
    operator.until(lambda status: status.episode_frames >= FRAMES)
    operator.press("pause")
    assert operator.text("state") == "PAUSED"
    frames = operator.status.episode_frames
    operator.kit.wait(0.5)
    assert operator.status.episode_frames == frames
    assert operator.kit.find("recorder.pause").text == "Resume"
    operator.press("success")
    operator.until(lambda status: status.counts.succeeded == 1)
    first = frames

    operator.until(lambda status: status.episode_frames >= FRAMES)
    operator.press("discard")
    operator.until(lambda status: status.counts.discarded == 1)

    operator.until(lambda status: status.episode_frames >= FRAMES)
    operator.press("pause")
    second = operator.status.episode_frames
    operator.press("failure")
    status = operator.until_state(SessionState.FINISHED)
    assert (status.counts.saved, status.counts.succeeded, status.counts.failed) == (2, 1, 1)
    assert "Finished" in operator.text("message")
    assert operator.text("progress_text") == "2 of 2 demos"

    reader = LerobotReader()
    dataset = reader.read(root)
    reader.close()
    assert dataset.lengths == [first, second]
    assert dataset.fps == 30
    assert not any("wrist" in name for name in dataset.columns)
    for index, rows in ((0, taken[:first]), (1, taken[-second:])):
        read = dataset.rows(index)
        np.testing.assert_array_equal(read["observation.state"], np.stack([row["state"] for row in rows]))
        np.testing.assert_array_equal(read["observation.eef_pos"], np.stack([row["eef_pos"] for row in rows]))
        np.testing.assert_array_equal(read["action"], np.stack([row["action"] for row in rows]))
        np.testing.assert_allclose(read["timestamp"], np.arange(len(rows)) / 30, atol=1e-6)
        pictures = np.stack([row["front"] for row in rows]).astype(float)
        assert np.abs(read["observation.images.front"] - pictures).mean() < 6, "more than a codec loses"

    # The panel goes on from here: a folder that is something else is refused and nothing is lost.
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "shopping.txt").write_text("milk")
    operator.type("dataset", str(tmp_path / "notes"))
    operator.press("record")
    operator.kit.until(lambda: operator.status.message.severity is Severity.ERROR, 30, "the refusal")
    operator.look()
    assert str(tmp_path / "notes") in operator.text("message")
    assert (tmp_path / "notes" / "shopping.txt").read_text() == "milk"
    assert operator.status.state in (SessionState.FINISHED, SessionState.READY)

    # An environment that raises while it steps: the panel says so, and the task can be loaded again.
    operator.type("dataset", str(tmp_path / "broken"))
    operator.press("record")
    operator.until(lambda status: status.episode_frames >= 1)

    def broken(action):
        raise ValueError("the gears are stuck")

    current().engine.env.step = broken
    operator.kit.until(lambda: operator.status.state is SessionState.ERROR, 30, "the error")
    operator.look()
    assert "the gears are stuck" in operator.text("message")
    assert operator.text("state") == "ERROR"
    assert operator.enabled("load")
    operator.press("close")
    assert operator.text("state") == "NO TASK LOADED"
    operator.session.post(Configure({"dataset": None}))
    operator.look()
