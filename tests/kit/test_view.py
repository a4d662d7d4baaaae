"""What the panel says, computed from a status: no widget is needed to know it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from host.draw_panel import OFFER, RECORDING, Still, stills
from isaac_lerobot.kit.panel.view import Tone, view
from isaac_lerobot.recording import Counts, LeftOut, RecordingConfig, SessionState, Status

BUTTONS = ("load", "close", "record", "pause", "success", "failure", "discard", "finish", "reset")


def seen(status: Status):
    """The view of a status, with the commands a real session allows in it."""
    return view(Still(status).status)


def enabled(status: Status) -> set[str]:
    shown = seen(status)
    return {name for name in BUTTONS if getattr(shown, name).enabled}


def test_buttons_of_each_state():
    pictures = stills()
    assert enabled(pictures["1_idle"]) == set()
    assert enabled(pictures["2_tasks_listed"]) == {"load"}
    assert enabled(pictures["3_loading"]) == set()
    assert enabled(pictures["5_ready"]) == {"load", "close", "record", "reset"}
    assert enabled(pictures["6_recording"]) == {"pause", "success", "failure", "discard", "finish"}
    assert enabled(pictures["7_paused"]) == {"pause", "success", "failure", "discard", "finish"}
    assert enabled(pictures["8_saving"]) == set()
    assert enabled(pictures["9_finished"]) == {"load", "close", "record", "reset"}
    assert enabled(pictures["10_error"]) == {"load", "close"}


def test_what_a_running_recording_has_settled_cannot_be_changed():
    pictures = stills()
    assert seen(pictures["5_ready"]).device_editable
    assert not seen(pictures["6_recording"]).device_editable
    assert not seen(pictures["7_paused"]).device_editable
    assert seen(pictures["6_recording"]).settings_editable


def test_every_state_has_a_tone_and_a_word():
    tones = {state: seen(dataclasses.replace(RECORDING, state=state)).tone for state in SessionState}
    assert tones[SessionState.RECORDING] is Tone.RECORDING
    assert tones[SessionState.ERROR] is Tone.ERROR
    assert len({seen(dataclasses.replace(RECORDING, state=state)).state for state in SessionState}) == len(SessionState)


def test_what_cannot_be_recorded_is_said_beside_what_can():
    left_out = (LeftOut("policy/rgb", "is a picture of floats"), LeftOut("depth", "makes no colour picture"))
    shown = seen(dataclasses.replace(RECORDING, offer=dataclasses.replace(OFFER, left_out=left_out)))
    assert shown.left_out == "policy/rgb is a picture of floats.\ndepth makes no colour picture."
    assert "policy/rgb" not in [term.key for term in shown.terms]
    assert seen(RECORDING).left_out == ""


def test_recording_tells_episode_time_and_progress():
    shown = seen(RECORDING)
    assert (shown.headline, shown.seconds, shown.frames) == ("Episode 181", "12.4 s", "372 frames")
    assert shown.progress_text == "176 of 200 successful demos"
    assert shown.progress == pytest.approx(0.88)
    assert "success for 4 of 10 steps" in shown.detail


def test_saving_episodes_are_told_apart_from_saved_ones():
    status = dataclasses.replace(RECORDING, counts=Counts(saved=4, saving=2))
    assert seen(status).saved == "4 +2"


def test_nothing_chosen_is_said_before_record_is_pressed():
    ready = stills()["4_ready_nothing_chosen"]
    assert "Tick at least one" in seen(ready).hint
    assert not seen(ready).record.enabled


def test_a_missing_folder_is_said_before_record_is_pressed():
    ready = stills()["5_ready"]
    without = dataclasses.replace(ready, config=ready.config.changed({"dataset": None}))
    assert "folder" in seen(without).hint
    assert not seen(without).record.enabled
    kept_nowhere = dataclasses.replace(ready, config=ready.config.changed({"dataset": None, "export": "none"}))
    assert seen(kept_nowhere).record.enabled


def test_state_keys_have_a_visible_order():
    status = dataclasses.replace(
        RECORDING, config=RECORDING.config.changed({"state_keys": ["policy/gripper", "policy/joint_pos"]})
    )
    positions = {row.key: row.position for row in seen(status).terms if row.position}
    assert positions == {"policy/gripper": 1, "policy/joint_pos": 2}


def test_pictures_are_no_state():
    rows = {row.key: row for row in seen(RECORDING).terms}
    assert not rows["policy/front_rgb"].can_be_state
    assert rows["policy/front_rgb"].size == "640 x 480"


def test_keys_of_the_device_stand_on_the_buttons():
    assert seen(RECORDING).success.text == "Success   [Y]"
    scripted = dataclasses.replace(RECORDING, config=RECORDING.config.changed({"teleop_device": "scripted"}))
    assert seen(scripted).success.text == "Success"


def test_a_key_stands_on_the_one_button_that_it_presses():
    paused = seen(stills()["7_paused"])
    assert (paused.record.text, paused.pause.text) == ("Record", "Resume   [B]")


def test_a_device_that_is_not_there_says_why():
    status = dataclasses.replace(RECORDING, config=RECORDING.config.changed({"teleop_device": "spacemouse"}))
    assert "No SpaceMouse is plugged in" in seen(status).hint


def test_a_device_that_is_not_offered_is_still_shown():
    config = RecordingConfig.from_mapping({"task": OFFER.task, "teleop_device": "exoskeleton"})
    assert any(row.name == "exoskeleton" for row in seen(dataclasses.replace(RECORDING, config=config)).devices)


def test_a_folder_that_is_not_named_in_full_is_shown_in_full():
    ready = stills()["5_ready"]
    relative = dataclasses.replace(ready, config=ready.config.changed({"dataset": "cubes"}))
    assert seen(relative).dataset == "cubes"
    assert seen(relative).dataset_help == f"In full: {Path.cwd() / 'cubes'}"
    assert seen(ready).dataset_help == ""


def test_what_the_app_lacks_stays_in_sight():
    warned = dataclasses.replace(
        RECORDING, offer=dataclasses.replace(OFFER, warnings=("Pictures are late.", "Do this."))
    )
    assert seen(warned).warning == "Pictures are late. Do this."
