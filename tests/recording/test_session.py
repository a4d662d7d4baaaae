"""The session's states, commands and counts, with a real dataset writer behind it."""

import shutil
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from isaac_lerobot.errors import DatasetError
from isaac_lerobot.recording import (
    CloseTask,
    Configure,
    Discard,
    End,
    Finish,
    ListTasks,
    OpenTask,
    Outcome,
    Pause,
    Quit,
    RecordingConfig,
    Reset,
    Resume,
    Session,
    SessionState,
    Severity,
    Start,
)
from isaac_lerobot.recording.export import Export
from on_disk import episode_table, frame_table
from recording.paper_host import PaperHost
from waiting import until


@pytest.fixture
def config(tmp_path):
    return RecordingConfig.from_mapping(
        {"task": "Paper-v0", "dataset": tmp_path / "cubes", "state_keys": ["policy/count"], "cameras": ["front"]}
    )


def opened(config, **host):
    session = Session(config)
    host = PaperHost(session, **host)
    session.post(OpenTask())
    host.tick()
    host.tick()
    assert session.state is SessionState.READY
    return session, host


def do(session, host, *commands, steps=0):
    for command in commands:
        session.post(command)
    host.tick(steps)
    return session.status


def finish(session, host):
    session.post(Finish())
    return wait_finished(session, host)


def wait_finished(session, host):
    host.tick()
    return wait_until(session, host, SessionState.FINISHED)


def wait_until(session, host, state):
    until(lambda: session.state is state, meanwhile=lambda: host.tick(), what=lambda: session.status)
    return session.status


def quit_and_wait(session, host):
    session.post(Quit())
    until(lambda: session.quit_requested, meanwhile=lambda: host.tick(), what=lambda: session.status)
    return session.status


def test_a_recording_from_load_to_finish(config):
    session, host = opened(config)
    status = do(session, host, Start(), steps=5)
    assert (status.state, status.episode_frames) == (SessionState.RECORDING, 5)
    assert status.episode_seconds == pytest.approx(5 / 30)
    do(session, host, End(Outcome.SUCCESS), steps=3)
    assert host.resets == [[0]]
    do(session, host, End(Outcome.FAILURE), steps=2)
    do(session, host, Discard(), steps=0)
    status = finish(session, host)
    assert (status.counts.saved, status.counts.saving) == (2, 0)
    assert (status.counts.succeeded, status.counts.failed, status.counts.discarded) == (1, 1, 1)
    assert status.dataset_episodes == 2
    assert [episode["success"] for episode in episode_table(config.dataset)] == [True, False]
    assert [episode["length"] for episode in episode_table(config.dataset)] == [5, 3]
    assert [row["action"] for row in frame_table(config.dataset)] == [0, 2, 4, 6, 8, 0, 2, 4]


def test_loading_is_shown_before_it_happens(config):
    session = Session(config)
    host = PaperHost(session)
    assert do(session, host, OpenTask()).state is SessionState.LOADING
    assert not host.is_open
    assert do(session, host).state is SessionState.READY


def test_pause_keeps_the_episode_and_records_nothing(config):
    session, host = opened(config)
    do(session, host, Start(), steps=3)
    assert do(session, host, Pause(), steps=4).episode_frames == 3
    assert do(session, host, Resume(), steps=2).episode_frames == 5


def test_finish_keeps_a_running_episode_as_undecided(config):
    session, host = opened(config)
    do(session, host, Start(), steps=4)
    status = finish(session, host)
    assert status.counts.saved == 1
    assert episode_table(config.dataset)[0]["success"] is None


def test_quit_throws_a_running_episode_away(config):
    session, host = opened(config)
    do(session, host, Start(), steps=4)
    do(session, host, End(Outcome.SUCCESS), steps=4)
    quit_and_wait(session, host)
    assert not host.is_open
    assert len(episode_table(config.dataset)) == 1


def test_target_ends_the_recording_and_drops_other_environments(config):
    session, host = opened(config.changed({"num_demos": 2}), num_envs=3)
    do(session, host, Start(), steps=4)
    session.end({0: Outcome.SUCCESS})
    session.end({1: Outcome.SUCCESS})
    status = wait_finished(session, host)
    assert (status.counts.saved, status.counts.discarded) == (2, 1)


def test_only_successes_count_where_the_task_judges_them(config):
    session, host = opened(config.changed({"num_demos": 1}), has_success_term=True)
    do(session, host, Start(), steps=2)
    session.end({0: Outcome.FAILURE})
    assert session.status.progress == 0
    host.tick(2)
    session.end({0: Outcome.SUCCESS})
    assert wait_finished(session, host).progress == 1


def test_without_continuous_the_operator_starts_each_episode(config):
    session, host = opened(config.changed({"continuous": False}))
    do(session, host, Start(), steps=2)
    assert do(session, host, End(Outcome.SUCCESS), steps=3).state is SessionState.READY
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    finish(session, host)
    assert [episode["length"] for episode in episode_table(config.dataset)] == [2, 2]


def test_export_succeeded_keeps_successes_only(config):
    session, host = opened(config.changed({"export": "succeeded"}))
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.FAILURE), steps=3)
    do(session, host, End(Outcome.SUCCESS))
    status = finish(session, host)
    assert (status.counts.saved, status.counts.discarded) == (1, 1)
    assert [episode["length"] for episode in episode_table(config.dataset)] == [3]


def test_export_separate_makes_two_datasets(config):
    session, host = opened(config.changed({"export": "separate"}))
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.FAILURE), steps=3)
    do(session, host, End(Outcome.SUCCESS), steps=4)
    do(session, host, End(Outcome.FAILURE))
    finish(session, host)
    failed = config.dataset.with_name("cubes_failed")
    assert [episode["length"] for episode in episode_table(config.dataset)] == [3]
    assert [episode["length"] for episode in episode_table(failed)] == [2, 4]
    assert [row["index"] for row in frame_table(failed)] == list(range(6))


def test_export_none_writes_nothing(config):
    session, host = opened(config.changed({"export": "none"}))
    do(session, host, Start(), steps=2)
    status = do(session, host, End(Outcome.SUCCESS))
    assert status.counts.discarded == 1
    assert not config.dataset.exists()


def test_what_an_overwriting_recording_without_episodes_leaves(config):
    """Nothing was recorded, so the old dataset is still there, and the next recording may still replace it."""
    session, host = opened(config)
    for _ in range(2):
        do(session, host, Start(), steps=2)
        do(session, host, End(Outcome.SUCCESS))
        finish(session, host)
    session, host = opened(config.changed({"overwrite": True}))
    do(session, host, Start(), steps=2)
    do(session, host, Discard())
    finish(session, host)
    assert len(episode_table(config.dataset)) == 2
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    finish(session, host)
    assert len(episode_table(config.dataset)) == 1


def test_the_end_tells_what_became_of_every_episode(config):
    session, host = opened(config.changed({"num_demos": 4}))
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE, Outcome.UNDECIDED, Outcome.UNDECIDED):
        do(session, host, Start(), steps=2)
        do(session, host, End(outcome))
    status = wait_finished(session, host)
    assert "4 saved, 1 succeeded, 1 failed, 2 undecided" in status.message.text


def test_an_empty_recording_names_no_dataset(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    do(session, host, Discard())
    status = finish(session, host)
    assert status.dataset is None
    assert str(config.dataset) not in status.message.text
    assert not config.dataset.exists()


def test_a_second_recording_continues_the_dataset_even_with_overwrite(config):
    session, host = opened(config.changed({"overwrite": True}))
    for _ in range(2):
        do(session, host, Start(), steps=2)
        do(session, host, End(Outcome.SUCCESS))
        finish(session, host)
    assert len(episode_table(config.dataset)) == 2


def test_a_dataset_with_other_features_is_refused_and_recording_can_go_on_elsewhere(config, tmp_path):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    finish(session, host)
    do(session, host, Configure({"cameras": []}), Start())
    status = session.status
    assert status.state is SessionState.FINISHED
    assert status.message.severity is Severity.ERROR
    assert "observation.images.front" in status.message.text
    status = do(session, host, Configure({"dataset": tmp_path / "other"}), Start(), steps=1)
    assert status.state is SessionState.RECORDING


@pytest.mark.parametrize("loaded", [False, True])
def test_a_folder_that_is_something_else_is_left_alone(config, tmp_path, loaded):
    """Said when the task is loaded, which takes its time, or when recording starts if the folder is named later."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("years of work")
    taken = Configure({"dataset": tmp_path / "taken", "overwrite": True})
    if loaded:
        session, host = opened(config)
        status = do(session, host, taken, Start())
    else:
        session = Session(config)
        host = PaperHost(session)
        status = do(session, host, taken, OpenTask())
    assert status.state is (SessionState.READY if loaded else SessionState.IDLE)
    assert status.message.severity is Severity.ERROR
    assert str(tmp_path / "taken") in status.message.text
    assert (tmp_path / "taken" / "thesis.txt").read_text() == "years of work"


def test_no_dataset_folder(config):
    session, host = opened(config.changed({"dataset": None}))
    status = do(session, host, Start())
    assert "dataset" in status.message.text
    assert status.state is SessionState.READY


def test_an_open_dataset_settles_the_selection(config):
    session, host = opened(config)
    do(session, host, Start(), steps=1)
    assert session.status.selection_locked
    status = do(session, host, Configure({"cameras": []}))
    assert "cameras" in status.message.text
    assert status.config.cameras == ("front",)
    assert do(session, host, Configure({"task_description": "Lift it"})).config.task_description == "Lift it"


@pytest.mark.parametrize("command", [Start(), Pause(), Resume(), End(Outcome.SUCCESS), Discard(), Reset(), Finish()])
def test_a_command_that_makes_no_sense_is_answered(config, command):
    session = Session(config)
    host = PaperHost(session)
    status = do(session, host, command)
    assert status.state is SessionState.IDLE
    assert status.message.severity is Severity.WARNING
    assert status.message.text.startswith(command.label)


def test_end_without_a_frame_is_answered(config):
    session, host = opened(config)
    do(session, host, Start())
    status = do(session, host, End(Outcome.SUCCESS))
    assert "no frame" in status.message.text
    assert End not in status.allowed


def test_unknown_task_leaves_a_session_that_can_go_on(config):
    session = Session(config.changed({"task": "Papr-v0"}))
    host = PaperHost(session)
    do(session, host, OpenTask())
    status = do(session, host)
    assert (status.state, status.message.severity) == (SessionState.IDLE, Severity.ERROR)
    do(session, host, Configure({"task": "Paper-v0"}), OpenTask())
    assert do(session, host).state is SessionState.READY


def test_failure_of_the_environment_keeps_saved_episodes(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS), steps=3)
    session.fail("The task raised.")
    assert session.status.state is SessionState.ERROR
    session.post(OpenTask())
    wait_until(session, host, SessionState.READY)
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    finish(session, host)
    assert [episode["length"] for episode in episode_table(config.dataset)] == [2, 2]


def test_close_and_list(config):
    session, host = opened(config)
    assert do(session, host, ListTasks()).tasks == ("Paper-v0",)
    assert do(session, host, CloseTask()).state is SessionState.IDLE
    assert not host.is_open


def test_the_folder_for_failed_episodes_is_looked_at_before_recording(config):
    config.dataset.with_name("cubes_failed").write_text("a file")
    session, host = opened(config.changed({"export": "separate"}))
    status = do(session, host, Start(), steps=2)
    assert status.state is SessionState.READY
    assert "cubes_failed" in status.message.text


def test_an_episode_that_cannot_be_handed_over_is_dropped_counted_and_the_scene_reset(config):
    session, host = opened(config.changed({"export": "separate"}))
    do(session, host, Start(), steps=2)
    config.dataset.with_name("cubes_failed").write_text("a file, put there since")
    status = do(session, host, End(Outcome.FAILURE))
    assert status.message.severity is Severity.ERROR
    assert status.counts.discarded == 1
    assert host.resets == [[0]]
    host.tick(2)
    do(session, host, End(Outcome.SUCCESS))
    assert finish(session, host).counts.saved == 1


def test_a_lost_episode_is_no_success(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    shutil.rmtree(config.dataset)
    do(session, host, End(Outcome.SUCCESS))
    until(lambda: session.status.counts.lost, meanwhile=lambda: host.tick())
    counts = session.status.counts
    assert (counts.lost, counts.succeeded, counts.saving, counts.saved) == (1, 0, 0, 0)


def test_export_none_with_a_target_is_refused(config):
    session, host = opened(config.changed({"export": "none", "num_demos": 1}))
    assert "num_demos" in do(session, host, Start()).message.text
    assert session.state is SessionState.READY


def test_environments_whose_episode_was_dropped_are_reset_before_the_next_recording(config):
    session, host = opened(config.changed({"num_demos": 1}), num_envs=2)
    do(session, host, Start(), steps=3)
    session.end({0: Outcome.SUCCESS})
    wait_finished(session, host)
    do(session, host, Configure({"num_demos": 3}), Start(), steps=2)
    assert host.resets == [[0, 1]]
    assert session.state is SessionState.RECORDING


def test_what_is_read_at_the_start_cannot_be_changed_while_recording(config):
    session, host = opened(config)
    do(session, host, Start(), steps=1)
    status = do(session, host, Configure({"teleop_device": "zero"}))
    assert "teleop_device" in status.message.text
    assert status.config.teleop_device == "auto"


def test_finish_after_an_error_leaves_no_task(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    session.fail("The task raised.")
    session.post(Finish())
    host.tick()
    wait_until(session, host, SessionState.IDLE)
    assert Start not in session.status.allowed


def test_quit_says_what_there_is(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS), steps=2)
    status = quit_and_wait(session, host)
    assert "1 saved" in status.message.text
    assert str(config.dataset) in status.message.text


@pytest.fixture
def slow_completion(monkeypatch):
    """Completing a dataset waits until the event that this gives is set."""
    may_go_on, close = threading.Event(), Export.close

    def slow(export):
        may_go_on.wait(20)
        close(export)

    monkeypatch.setattr(Export, "close", slow)
    yield may_go_on
    may_go_on.set()


@pytest.mark.parametrize("command", [OpenTask(), CloseTask(), Quit()])
def test_what_closes_the_dataset_leaves_the_host_alone_until_it_is_complete(config, slow_completion, command):
    session, host = opened(config.changed({"continuous": False}))
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    assert do(session, host, command).state is SessionState.SAVING
    assert host.is_open
    assert "Completing the dataset" in session.status.message.text
    slow_completion.set()
    reached = {OpenTask: SessionState.READY, CloseTask: SessionState.IDLE, Quit: SessionState.IDLE}[type(command)]
    wait_until(session, host, reached)
    assert session.quit_requested is isinstance(command, Quit)
    assert len(episode_table(config.dataset)) == 1


def test_a_task_is_not_loaded_over_the_news_that_the_dataset_could_not_be_completed(config, monkeypatch):
    close = Export.close

    def broken(export):
        close(export)
        raise DatasetError("The disk is full.")

    session, host = opened(config.changed({"continuous": False}))
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS))
    monkeypatch.setattr(Export, "close", broken)
    assert do(session, host, OpenTask()).state is SessionState.SAVING
    status = wait_finished(session, host)
    assert "The disk is full." in status.message.text
    do(session, host)
    assert session.state is SessionState.FINISHED


def test_who_has_no_time_left_completes_the_dataset_at_once_and_keeps_the_environment(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    do(session, host, End(Outcome.SUCCESS), steps=2)
    session.complete()
    assert host.is_open
    assert session.state is SessionState.FINISHED
    assert [episode["length"] for episode in episode_table(config.dataset)] == [2]
    session.quit(host)
    assert session.quit_requested
    assert not host.is_open


def test_hundreds_of_environments_record_each_its_own_rows(config):
    """Across blocks, episodes of different lengths, and those that are thrown away in between."""
    session, host = opened(config.changed({"cameras": [], "observation_keys": []}), num_envs=70)
    do(session, host, Start(), steps=3)
    lengths = {env_id: 3 + env_id % 7 * 20 for env_id in range(70)}
    for step in range(3, 124):
        session.end({env_id: Outcome.SUCCESS for env_id, length in lengths.items() if length == step})
        if step == 40:
            session.drop(66)
        host.tick(1)
    do(session, host, Quit())
    quit_and_wait(session, host)
    rows = pq.read_table(sorted((config.dataset / "data").rglob("*.parquet"))[0]).to_pylist()
    by_episode = {}
    for row in rows:
        by_episode.setdefault(row["episode_index"], []).append(row["observation.state"][0])
    kept = episode_table(config.dataset)
    assert [len(by_episode[row["episode_index"]]) for row in kept] == [row["length"] for row in kept]
    assert sorted(row["length"] for row in kept) == sorted(
        [*(lengths[env_id] for env_id in range(70) if env_id != 66), 63 - 40]
    )
    for values in by_episode.values():
        assert values == list(range(int(values[0]), int(values[0]) + len(values))), "one row per step, none twice"


def test_a_number_that_is_none_is_told_at_once_and_once_per_episode(config):
    session, host = opened(config, num_envs=2)
    do(session, host, Start(), steps=3)
    host.counts[1] = np.nan
    with np.errstate(invalid="ignore"):  # its picture is none either
        status = do(session, host, steps=1)
    assert status.message.severity is Severity.WARNING
    assert "NaN" in status.message.text
    assert "frame 3" in status.message.text
    assert "environment 1" in status.message.text
    do(session, host, Pause())
    do(session, host, Resume())
    with np.errstate(invalid="ignore"):
        assert "NaN" not in do(session, host, steps=1).message.text


def test_the_number_of_the_next_episode_does_not_count_failed_ones_kept_apart(config):
    session, host = opened(config.changed({"export": "separate"}))
    do(session, host, Start(), steps=2)
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE):
        status = do(session, host, End(outcome), steps=2)
        assert status.next_episode == 1, "those on their way do not count before they should"
    assert "episode 1 of cubes_failed (failure" in status.message.text
    assert finish(session, host).dataset_episodes == 1


def test_a_refused_command_does_not_hide_that_an_episode_was_lost(config):
    session, host = opened(config)
    do(session, host, Start(), steps=2)
    shutil.rmtree(config.dataset)
    do(session, host, End(Outcome.SUCCESS))
    until(lambda: session.status.counts.lost)
    status = do(session, host, Pause())
    assert status.message.severity is Severity.ERROR
    assert "could not be saved" in status.message.text
