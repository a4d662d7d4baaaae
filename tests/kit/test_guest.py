"""In the user's own Isaac Sim: what a task is lent of the app, and how the app is left."""

from __future__ import annotations

import builtins
from contextlib import contextmanager

import pytest

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import CloseTask, OpenTask, SessionState, Severity

COUNTER = {
    "task": "Counter-v0",
    "task_packages": ["sim.counter_task"],
    "teleop_device": "scripted",
    "state_keys": ["policy/step"],
    "step_hz": 0,
}
PLAY_SIMULATIONS = "/app/player/playSimulations"


pytestmark = pytest.mark.app("user")  # the bare kernel has no stage, no timeline and no viewport


@pytest.fixture
def settings(kit):
    import carb.settings

    return carb.settings.get_settings()


@pytest.fixture
def context(kit):
    import omni.usd

    context = omni.usd.get_context()
    context.new_stage()
    context.complaints.clear()
    yield context
    assert context.complaints == []


@pytest.fixture
def timeline(kit):
    import omni.timeline

    return omni.timeline.get_timeline_interface()


@pytest.fixture
def recorder(kit, context, open_recorder, tmp_path):
    """Someone at the panel of a recorder with the counter task loaded, recording into ``tmp_path / "counted"``."""
    operator = open_recorder(**COUNTER, dataset=str(tmp_path / "counted"))
    load(operator)
    return operator


def load(operator) -> None:
    operator.session.post(OpenTask())  # the button's section is folded while a task is loaded
    operator.kit.until(
        lambda: operator.status.state is SessionState.LOADING, 30, "what it says of the last task to be gone"
    )
    operator.until_state(SessionState.READY)


def close(operator) -> None:
    operator.session.post(CloseTask())
    operator.until_state(SessionState.IDLE)


def close_after_finishing(operator) -> None:
    operator.press("finish")
    operator.until_state(SessionState.FINISHED)
    close(operator)


def saved(tmp_path) -> list[int]:
    """Lengths of the first two episodes in the dataset; the counter task's are known."""
    return [episode.length for episode in DatasetReader(tmp_path / "counted")][:2]


def env():
    from isaac_lerobot.kit.app import current

    return current().engine.env


def record_two_episodes(operator) -> None:
    """Two or more are saved, and another is running."""
    operator.press("record")
    operator.until(lambda status: status.counts.saved >= 2 and status.episode_frames > 0)


@contextmanager
def observing(event: str, reaction):
    import carb.eventdispatcher

    subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
        observer_name="test", event_name=event, on_event=lambda _event: reaction()
    )
    yield subscription


# ---- settings and viewport ----------------------------------------------------------------------------------------


def test_isaac_labs_settings_reach_kit_and_its_own_are_given_back(recorder, settings):
    env().sim.set_setting("/physics/suppressReadback", True)
    assert settings.get("/physics/suppressReadback") is True
    assert settings.get("/isaaclab/has_gui") is True
    assert settings.get("/app/player/useFixedTimeStepping") is False
    close(recorder)
    assert settings.get("/app/player/useFixedTimeStepping") is True


def test_a_task_has_a_visualizer_that_moves_the_viewport(kit, context, open_recorder):
    operator = open_recorder(task="Isaac-LeRobot-Pick-Cube-v0", teleop_device="random", export="none", step_hz=0)
    operator.kit.until(lambda: operator.enabled("load"), 10, "the panel")
    operator.press("load")
    operator.until_state(SessionState.READY, 300)
    (visualizer,) = env().sim.visualizers
    assert visualizer.cfg.visualizer_type == "kit"
    from isaaclab_physx.renderers.fabric import FabricBackendCfg

    sim = env().sim
    viewport = sim.get_or_create_backend(FabricBackendCfg(stage=sim.stage, device=sim.device))
    operator.press("record")
    operator.until(lambda status: status.episode_frames >= 1)
    before = dict(viewport.shown)
    operator.until(lambda status: status.episode_frames >= 4)
    assert before
    assert {path for path, pose in viewport.shown.items() if pose != before[path]}


def test_who_asks_whether_a_script_started_the_app_is_told_so_only_while_a_task_is_built(recorder, monkeypatch):
    assert not hasattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL")
    monkeypatch.setattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL", True, raising=False)  # as isaacsim.core.api does
    load(recorder)
    assert builtins.ISAAC_LAUNCHED_FROM_TERMINAL is True


def test_isaac_labs_own_window_whose_reset_would_end_an_episode_is_not_opened(recorder):
    import omni.ui as ui

    assert env().sim.has_gui
    assert "IsaacLab" not in [window.title for window in ui.Workspace.get_windows()]


# ---- physics ------------------------------------------------------------------------------------------------------


def test_physics_is_never_stepped_by_the_app_between_our_steps(kit, recorder, settings, timeline):
    import omni.kit.app

    stepped_by_kit = []

    def physics() -> None:  # what omni.physx does with each of the app's updates
        if timeline.is_playing() and settings.get(PLAY_SIMULATIONS) is not False:
            stepped_by_kit.append(1)

    step = env().step

    def step_with_cameras(action):  # what Isaac Lab's RTX cameras and physics leave behind
        result = step(action)
        env().sim.set_setting(PLAY_SIMULATIONS, True)
        return result

    env().step = step_with_cameras
    with observing(omni.kit.app.GLOBAL_EVENT_UPDATE, physics):
        assert timeline.is_playing()
        kit.update(5)
        record_two_episodes(recorder)
        recorder.press("pause")
        kit.update(5)
        recorder.press("discard")
        recorder.press("pause")
        kit.update(5)
    assert stepped_by_kit == []
    close_after_finishing(recorder)
    assert settings.get(PLAY_SIMULATIONS) is not False


# ---- the stage ----------------------------------------------------------------------------------------------------


def test_a_stage_with_unsaved_changes_is_never_touched(kit, context, open_recorder):
    operator = open_recorder(**COUNTER)
    stage = context.get_stage()
    stage.DefinePrim("/Mine", "Xform")
    operator.press("load")
    kit.until(lambda: operator.status.message.severity is Severity.ERROR, 30, "the refusal")
    operator.look()
    assert "unsaved changes" in operator.text("message")
    assert "File > New" in operator.text("message")
    assert context.get_stage() is stage
    assert [prim.GetName() for prim in stage.GetPseudoRoot().GetChildren()] == ["Mine"]
    context.new_stage()  # as File > New does, once its question was answered
    load(operator)


def test_a_stage_is_not_closed_for_a_task_that_there_is_not(kit, context, open_recorder):
    operator = open_recorder(**{**COUNTER, "task": "Countre-v0"})
    stage = context.get_stage()
    operator.press("load")
    kit.until(lambda: operator.status.message.severity is Severity.ERROR, 60, "the refusal")
    assert context.get_stage() is stage


def test_a_task_has_a_stage_of_its_own_and_leaves_an_empty_one(context, open_recorder):
    before = context.get_stage()
    operator = open_recorder(**COUNTER)
    load(operator)
    assert context.get_stage() is not before
    assert context.get_stage().GetPrimAtPath("/World/envs/env_0").IsValid()
    assert env().sim.stage == context.get_stage()
    assert not context.has_pending_edit(), "nobody is to be asked whether to save it"
    load(operator)  # the task's own changes are nobody's work
    close(operator)
    assert not context.get_stage().GetPrimAtPath("/World").IsValid()
    assert not context.has_pending_edit()


def test_a_task_that_cannot_be_built_leaves_an_empty_stage(kit, context, open_recorder):
    operator = open_recorder(**{**COUNTER, "task": "CounterBroken-v0", "task_packages": ["kit.kit_tasks"]})
    operator.press("load")
    kit.until(lambda: operator.status.message.severity is Severity.ERROR, 60, "the error")
    assert "no such joint" in operator.status.message.text
    assert context.get_stage() is not None
    assert not context.get_stage().GetPrimAtPath("/World").IsValid()


def closed_by_the_user(operator, tmp_path) -> None:
    operator.kit.until(lambda: operator.status.state is SessionState.ERROR, 30, "the news")
    operator.look()
    assert "The stage of the task was closed" in operator.text("message")
    assert env() is None
    assert saved(tmp_path) == [12, 5]


@pytest.mark.parametrize("state", ["running", "paused"])
def test_another_stage_in_mid_recording_ends_the_task_and_is_left_alone(recorder, context, tmp_path, state):
    record_two_episodes(recorder)
    if state == "paused":
        recorder.press("pause")
    context.new_stage()
    theirs = context.get_stage()
    theirs.DefinePrim("/Theirs", "Xform")
    closed_by_the_user(recorder, tmp_path)
    assert context.get_stage() is theirs
    assert theirs.GetPrimAtPath("/Theirs").IsValid()
    assert context.get_stage_id() > 0, "it is still in USD's cache, where Kit looks for it"
    context.new_stage()
    load(recorder)


def test_a_step_that_breaks_because_the_stage_is_gone_says_that_it_is_gone(recorder, context, tmp_path):
    record_two_episodes(recorder)

    def step(action):
        context.close_stage()
        raise RuntimeError("Accessed invalid expired prim")

    env().step = step
    closed_by_the_user(recorder, tmp_path)
    assert context.get_stage() is None


# ---- the timeline -------------------------------------------------------------------------------------------------


def test_the_timelines_pause_pauses_the_recording_and_its_play_resumes_it(kit, recorder, timeline):
    record_two_episodes(recorder)
    timeline.pause()
    recorder.until_state(SessionState.PAUSED)
    frames = recorder.status.episode_frames
    kit.update(5)
    assert recorder.status.episode_frames == frames
    timeline.play()
    recorder.until(lambda status: status.state is SessionState.RECORDING and status.episode_frames != frames)


def test_a_pause_in_the_middle_of_a_step_lets_the_step_end_first(kit, recorder, timeline):
    """Isaac Lab updates the app in the middle of a step, and goes on doing so for as long as the timeline is paused."""
    import omni.kit.app

    record_two_episodes(recorder)
    step, steps = env().step, []

    def step_in_which_pause_is_pressed(action):
        env().step = step
        timeline.pause()
        omni.kit.app.get_app().update()
        for _ in range(100):  # PhysxManager.wait_for_playing, which knows no end
            if timeline.is_playing():
                break
            omni.kit.app.get_app().update()
        steps.append(timeline.is_playing())
        return step(action)

    env().step = step_in_which_pause_is_pressed
    recorder.until_state(SessionState.PAUSED)
    assert steps == [True]
    assert not timeline.is_playing()
    assert not timeline.is_stopped()


def test_resume_on_the_panel_plays_a_timeline_that_was_paused(recorder, timeline):
    record_two_episodes(recorder)
    timeline.pause()
    recorder.until_state(SessionState.PAUSED)
    frames = recorder.status.episode_frames
    recorder.press("pause")  # which says Resume now
    recorder.until(lambda status: status.state is SessionState.RECORDING and status.episode_frames != frames)
    assert timeline.is_playing()


def test_the_panels_pause_is_not_ended_by_the_timeline(kit, recorder, timeline):
    record_two_episodes(recorder)
    recorder.press("pause")
    timeline.pause()
    kit.update(2)
    timeline.play()
    kit.update(5)
    assert recorder.status.state is SessionState.PAUSED


def test_the_timelines_stop_ends_the_task_with_a_word_and_keeps_what_was_saved(kit, recorder, timeline, tmp_path):
    record_two_episodes(recorder)
    timeline.stop()
    kit.until(lambda: recorder.status.state is SessionState.ERROR, 30, "the news")
    recorder.look()
    assert "The timeline was stopped" in recorder.text("message")
    assert env() is None
    assert saved(tmp_path) == [12, 5]
    load(recorder)
    recorder.press("record")
    recorder.until(lambda status: status.counts.saved == 1)


# ---- disabling ----------------------------------------------------------------------------------------------------


def test_disabling_the_extension_in_mid_recording_completes_the_dataset(kit, recorder, context, tmp_path):
    import omni.kit.app

    record_two_episodes(recorder)
    environment, close = env(), env().close
    closed = []

    def close_updating_the_app():  # as the environments of PhysX do
        omni.kit.app.get_app().update()
        close()
        closed.append(environment)

    environment.close = close_updating_the_app
    kit.enable("isaac.lerobot.recorder", enabled=False)
    assert closed == [environment]
    assert not (tmp_path / "counted" / ".recording").exists()
    assert saved(tmp_path) == [12, 5]
    assert not context.get_stage().GetPrimAtPath("/World").IsValid()


def test_who_closes_the_question_goes_on_recording(kit, recorder):
    import omni.kit.app

    record_two_episodes(recorder)
    omni.kit.app.get_app().post_quit(0)
    recorder.until_state(SessionState.PAUSED)
    kit.window("LeRobot Recorder is recording").visible = False
    recorder.until_state(SessionState.RECORDING)
    assert kit.running


# ---- what the panel says ------------------------------------------------------------------------------------------


def test_an_app_that_does_not_wait_for_its_renderer_is_warned_of(context, open_recorder):
    operator = open_recorder(**{**COUNTER, "task": "CounterCameras-v0", "task_packages": ["kit.kit_tasks"]})
    load(operator)
    assert "Pictures may be older than the numbers" in operator.text("warning")
    assert "isaac-lerobot panel" in operator.text("warning")
    close(operator)
    assert not operator.kit.has("recorder.warning")


def test_a_task_without_such_cameras_is_not_warned_of(recorder):
    assert not recorder.kit.has("recorder.warning")


def test_an_app_as_isaac_labs_own_is_not_warned_of(kit, settings):
    from isaac_lerobot.kit.guest.host_app import picture_warnings

    as_in_isaac_labs = {
        "/isaaclab/render/rtx_sensors": True,
        "/app/renderer/waitIdle": True,
        "/app/hydraEngine/waitIdle": True,
        "/app/updateOrder/checkForHydraRenderComplete": 1000,
        "/renderer/scenePartitioning/enabled": True,
    }
    before = {path: settings.get(path) for path in as_in_isaac_labs}
    try:
        for path, value in as_in_isaac_labs.items():
            settings.set(path, value)
        assert picture_warnings(num_envs=4) == ()
        settings.set("/renderer/scenePartitioning/enabled", False)
        assert picture_warnings(num_envs=1) == ()
        assert "neighbouring environments" in picture_warnings(num_envs=4)[0]
    finally:
        for path, value in before.items():
            settings.destroy_item(path)
            if value is not None:
                settings.set(path, value)


# ---- the folder dialog --------------------------------------------------------------------------------------------


@pytest.fixture
def dialogs(kit):
    from omni.kit.window import filepicker

    return filepicker.dialogs


def test_a_folder_that_is_named_in_the_dialog_is_taken_though_it_is_not_there_yet(operator, dialogs, tmp_path):
    operator.press("browse")
    (dialog,) = dialogs
    dialog.apply("cubes", f"{tmp_path}/")
    operator.look()
    assert operator.status.config.dataset == tmp_path / "cubes"
    assert not dialog.visible


@pytest.mark.parametrize("name", ["", "cubes"])
def test_a_folder_that_is_clicked_in_the_dialog_is_taken(operator, dialogs, tmp_path, name):
    (tmp_path / "cubes").mkdir()
    operator.press("browse")
    dialogs[0].apply(name, f"{tmp_path}/cubes/")
    operator.look()
    assert operator.status.config.dataset == tmp_path / "cubes"


def test_the_dialog_can_be_cancelled_and_is_made_once(operator, dialogs, tmp_path):
    operator.type("dataset", str(tmp_path / "not" / "there"))
    for _ in range(2):
        operator.press("browse")
        (dialog,) = dialogs
        assert dialog.visible
        assert dialog.directory == str(tmp_path)
        dialog.cancel()
        assert not dialog.visible
    assert operator.status.config.dataset == tmp_path / "not" / "there"
    operator.kit.enable("isaac.lerobot.recorder", enabled=False)
    assert dialogs == []
