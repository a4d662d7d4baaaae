"""Bad input: one clear message, and a session that can go on."""

import pytest

from isaac_lerobot.recording import Configure, Finish, OpenTask, SessionState, Severity, Start
from isaac_lerobot.sim.drive.driver import Driver
from sim import counter_task
from sim.recordings import message_after, session_for, tick_until

STATE = {"state_keys": ["policy/step"]}


@pytest.fixture(scope="module")
def shared_driver():
    driver = Driver(session_for(counter_task.TASK_ID, "unset", teleop_device="scripted", **STATE))
    driver.session.post(OpenTask())
    tick_until(driver, SessionState.READY)
    yield driver
    driver.shutdown()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state_keys": []}, ["Neither state_keys nor observation_keys", "policy/step"]),
        ({"state_keys": ["policy/stp"]}, ["policy/stp", "'policy/step'"]),
        ({"cameras": ["front"]}, ["no camera 'front'", "There are none"]),
        ({"teleop_device": "spacemouse"}, ["spacemouse", "scripted"]),
        ({"teleop_device": "keyboard"}, ["keyboard", "moves a hand", "scripted"]),
        ({"teleop_device": "scriptd"}, ["scriptd", "'scripted'"]),
        ({"dataset": None}, ["dataset"]),
        ({"codec": "h265x"}, ["h265x"]),
    ],
)
def test_bad_input_is_one_clear_message_and_the_session_goes_on(tmp_path, values, words, shared_driver):
    driver = shared_driver
    good = {"teleop_device": "scripted", "cameras": None, "codec": "h264", "dataset": tmp_path / "good", **STATE}
    status = message_after(driver, Configure(good), Configure(values), Start())
    assert status.message.severity is Severity.ERROR
    assert all(word in status.message.text for word in words), status.message.text
    assert "\n" not in status.message.text.strip()
    assert status.state in (SessionState.READY, SessionState.FINISHED)
    message_after(driver, Configure(good), Start(), ticks=3)
    assert driver.session.state is SessionState.RECORDING
    driver.session.post(Finish())
    tick_until(driver, SessionState.FINISHED)


def test_a_folder_that_cannot_be_written(tmp_path, shared_driver):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    good = {"teleop_device": "scripted", "dataset": tmp_path / "good"}
    status = message_after(shared_driver, Configure({**good, "dataset": blocked / "dataset"}), Start())
    assert status.message.severity is Severity.ERROR
    assert str(blocked) in status.message.text
    message_after(shared_driver, Configure(good), Start(), ticks=3)
    assert shared_driver.session.state is SessionState.RECORDING
    shared_driver.session.post(Finish())
    tick_until(shared_driver, SessionState.FINISHED)
