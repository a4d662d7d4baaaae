"""``record-demos`` begins each episode with a simulation as new."""

from isaac_lerobot.recording import OpenTask, SessionState, Start
from isaac_lerobot.sim.drive.demo_driver import DemoDriver
from sim import counter_task
from sim.recordings import session_for, tick_until


def test_the_simulation_is_reset_after_each_episode(tmp_path):
    session = session_for(
        counter_task.TASK_ID, tmp_path / "counted", teleop_device="scripted", num_demos=2, state_keys=["policy/step"]
    )
    driver = DemoDriver(session)
    resets = []
    try:
        session.post(OpenTask())
        tick_until(driver, SessionState.READY)
        reset = driver.env.sim.reset
        driver.env.sim.reset = lambda *args, **kwargs: (resets.append(1), reset(*args, **kwargs))
        session.post(Start())
        tick_until(driver, SessionState.FINISHED)
        assert session.status.counts.saved == 2
        assert len(resets) == 2
    finally:
        driver.shutdown()
