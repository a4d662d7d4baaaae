"""A recording that nobody watches: when it goes on, when it ends, and what it counts."""

import shutil

import pytest

from isaac_lerobot.errors import DatasetError
from isaac_lerobot.recording import (
    Configure,
    Discard,
    End,
    Outcome,
    Quit,
    RecordingConfig,
    Session,
    SessionState,
    Severity,
)
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.recording.progress import progress_text
from recording.paper_host import PaperHost
from waiting import until


@pytest.fixture
def config(tmp_path):
    return RecordingConfig.from_mapping(
        {"task": "Paper-v0", "dataset": tmp_path / "cubes", "state_keys": ["policy/count"], "cameras": []}
    )


class Recording:
    """A recording by itself, on paper."""

    def __init__(self, config, **how):
        self.session = Session(config)
        self.host = PaperHost(self.session, has_success_term=how.pop("has_success_term", False))
        self.automatic = AutomaticRecording(self.session, **how)

    def go_on(self, steps=0):
        finished = self.automatic.advance()
        self.host.tick(steps)
        return finished

    def start(self):
        while self.session.state is not SessionState.RECORDING:
            assert self.go_on() is None
        return self

    def episode(self, outcome=Outcome.SUCCESS):
        self.host.tick(steps=3)
        self.session.post(End(outcome))
        self.host.tick()

    def wait(self):
        finished = until(lambda: None if (done := self.go_on()) is None else [done])
        return finished[0]


def test_it_loads_starts_and_ends_at_the_target(config):
    recording = Recording(config.changed({"num_demos": 2})).start()
    recording.episode()
    recording.episode()
    assert recording.wait() is True
    assert recording.session.status.counts.saved == 2


def test_until_counts_what_earlier_recordings_have_left(config):
    """The natural wish after a crash at 180 of 200; failures do not count where the task judges."""
    first = Recording(config, has_success_term=True).start()
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS):
        first.episode(outcome)
    first.session.quit(first.host)

    second = Recording(config.changed({"until": 4}), has_success_term=True).start()
    assert "demos 2/4" in progress_text(second.session.status)
    second.episode(Outcome.FAILURE)
    second.episode()
    assert "demos 3/4" in progress_text(second.session.status)
    second.episode()
    assert second.wait() is True
    status = second.session.status
    assert (status.progress, status.target, status.dataset_episodes) == (4, 4, 6)


def test_until_counts_every_episode_where_a_person_judges(config):
    for wanted in (1, 3):
        recording = Recording(config.changed({"until": wanted, "success": "manual"}), has_success_term=True).start()
        for _ in range(wanted - recording.session.status.progress):
            recording.episode(Outcome.FAILURE)
        assert recording.wait() is True
    assert recording.session.status.dataset_episodes == 3


def test_nothing_is_recorded_into_a_dataset_that_holds_enough(config):
    recording = Recording(config.changed({"until": 1})).start()
    recording.episode()
    assert recording.wait() is True
    again = Recording(config.changed({"until": 1}))
    assert again.wait() is True
    assert again.session.status.counts.saved == 0


def test_a_dataset_that_is_overwritten_holds_nothing(config):
    recording = Recording(config.changed({"until": 1})).start()
    recording.episode()
    assert recording.wait() is True
    anew = Recording(config.changed({"until": 1, "overwrite": True})).start()
    anew.episode()
    assert anew.wait() is True
    assert anew.session.status.dataset_episodes == 1


def test_the_last_word_counts_what_was_counted_before(config):
    """Once the task is gone, nobody can ask it any more whether it judges."""
    recording = Recording(config.changed({"num_demos": 2}), has_success_term=True).start()
    recording.episode(Outcome.FAILURE)
    recording.episode(Outcome.FAILURE)
    recording.session.quit(recording.host)
    assert "demos 0/2" in progress_text(recording.session.status)


def test_it_does_not_go_on_after_an_error_that_a_refusal_has_replaced(config):
    recording = Recording(config).start()
    recording.host.tick(steps=3)
    recording.session.interrupt(DatasetError("The disk is full."))
    recording.session.post(Discard())  # an operator's key; there is nothing to discard any more
    recording.host.tick()
    assert recording.session.status.message.severity is Severity.WARNING
    assert recording.wait() is False


def test_it_does_not_go_on_after_an_episode_was_lost(config):
    """Without ``continuous``, being ready is what comes after each episode."""
    recording = Recording(config.changed({"continuous": False})).start()
    recording.host.tick(steps=3)
    shutil.rmtree(config.dataset)
    recording.session.post(End(Outcome.SUCCESS))

    def discard():
        recording.host.tick()
        recording.session.post(Discard())

    until(lambda: recording.session.status.counts.lost, meanwhile=discard)
    assert recording.wait() is False


@pytest.mark.parametrize("starts_paused", [False, True])
def test_a_start_that_is_refused_is_the_reason(config, starts_paused):
    recording = Recording(config.changed({"state_keys": ["policy/cuont"]}), starts_paused=starts_paused)
    assert recording.wait() is False
    assert "policy/cuont" in recording.session.status.message.text


def test_the_operator_may_say_when_to_begin(config):
    recording = Recording(config, starts_paused=True)
    for _ in range(5):
        assert recording.go_on() is None
    assert recording.session.state is SessionState.PAUSED


def test_what_is_recorded_may_be_chosen_once_the_task_is_loaded(config):
    recording = Recording(
        config.changed({"state_keys": ()}), keys=lambda config, offer: {"state_keys": [offer.terms[0].key]}
    ).start()
    assert recording.session.config.state_keys == ("policy/count",)


def test_it_is_over_when_somebody_quits(config):
    recording = Recording(config).start()
    recording.session.post(Quit())
    assert recording.wait() is False


def test_a_setting_that_somebody_changes_does_not_disturb_it(config):
    recording = Recording(config).start()
    recording.session.post(Configure({"num_demos": 1}))
    recording.host.tick()
    recording.episode()
    assert recording.wait() is True


def test_without_continuous_it_starts_every_episode(config):
    recording = Recording(config.changed({"continuous": False, "num_demos": 2}))
    for _ in range(2):
        recording.start().episode()
    assert recording.wait() is True
    assert recording.session.status.counts.saved == 2
