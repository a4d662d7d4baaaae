"""A process killed at any instant leaves a dataset that the real lerobot opens with every committed episode."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataset.crash_recording import LENGTHS, CrashRecorder
from dataset.recordings import FEATURES, check_read, files_of, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, recover_dataset
from on_disk import counted_episodes


@pytest.fixture(scope="module")
def recorder() -> Iterator[CrashRecorder]:
    recorder = CrashRecorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="module")
def closed(recorder, tmp_path_factory) -> Path:
    """A closed dataset with the first episode."""
    root = tmp_path_factory.mktemp("base") / "set"
    assert recorder.run(root).committed == 1
    return root


class Survivors:
    """Checks what lerobot reads after a kill; a state that was read before is not read again."""

    def __init__(self, lerobot):
        self._lerobot = lerobot
        self._read: set[str] = set()

    def check(self, root: Path, episodes: list[tuple[int, int]]) -> None:
        state = hashlib.sha256()
        for name in sorted(files_of(root)):
            if not name.startswith(".recording"):
                content = (root / name).read_bytes()
                state.update(name.encode() + re.sub(rb'"joined": "\w+"', b"", content))
        if state.hexdigest() not in self._read:
            check_read(self._lerobot.read(root), episodes)
            self._read.add(state.hexdigest())


@pytest.fixture(scope="module")
def survivors(lerobot) -> Survivors:
    return Survivors(lerobot)


def check_after_kill(root: Path, committed: int, survivors: Survivors) -> None:
    """Check that lerobot reads the committed episodes, and that the next recording leaves no trace of the kill."""
    count = counted_episodes(root)
    # The process may die between the commit and telling about it.
    assert committed <= count <= committed + 1
    kept = list(enumerate(LENGTHS))[:count]
    if count:
        survivors.check(root, kept)
        writer = DatasetWriter.append(root)
    else:
        writer = DatasetWriter.create(root, 30, FEATURES)
    with writer:
        assert record(writer, count, 2) == count
    assert not (root / ".recording").exists()
    chunks = ("data/chunk-000/", "meta/episodes/chunk-000/", "videos/observation.images.front/chunk-000/", "isaac/")
    single = {"meta/info.json", "meta/isaac_lerobot.json", "meta/stats.json", "meta/tasks.parquet"}
    assert single == {name for name in files_of(root) if not name.startswith(chunks)}
    assert recover_dataset(root, dry_run=True) == []
    survivors.check(root, [*kept, (count, 2)])


@pytest.mark.parametrize("appended", [False, True], ids=["new", "appended"])
def test_killed_before_every_durable_step(tmp_path, recorder, closed, survivors, appended):
    """But for those before which the disk holds what it held at a kill before: waiting for the disk changes nothing."""
    whole = recorder.run(prepared(tmp_path / "whole", closed, appended))
    assert not whole.killed
    assert len(whole.steps) > 50
    assert 30 < len(set(whole.states)) <= len(whole.steps)
    for step, what in enumerate(whole.steps):
        if whole.states[step] in whole.states[:step]:
            continue
        root = prepared(tmp_path / f"step{step}", closed, appended)
        outcome = recorder.run(root, kill_at=step)
        assert outcome.killed
        try:
            check_after_kill(root, appended + outcome.committed, survivors)
        except BaseException as error:
            error.add_note(f"killed before step {step}: {what}")
            raise
        shutil.rmtree(root)


def test_killed_while_joining_on_the_way(tmp_path, recorder, closed, survivors):
    whole = recorder.run(prepared(tmp_path / "whole", closed, True), join_every=1)
    after_the_commit = [step for step, state in enumerate(whole.states) if state.startswith("1 ")]
    assert [what for what in whole.steps if what.startswith("exchange")]
    for step in after_the_commit:
        if whole.states[step] in whole.states[:step]:
            continue
        root = prepared(tmp_path / f"step{step}", closed, True)
        outcome = recorder.run(root, kill_at=step, join_every=1)
        assert (outcome.killed, outcome.committed) == (True, 1)
        try:
            check_after_kill(root, 2, survivors)
        except BaseException as error:
            error.add_note(f"killed before step {step}: {whole.steps[step]}")
            raise
        shutil.rmtree(root)


def test_killed_while_overwriting(tmp_path, recorder, closed, lerobot):
    """The old dataset comes back whole until the first new episode is committed; then the new one is there."""
    old, new = [(0, LENGTHS[0])], [(0, LENGTHS[1])]
    whole = recorder.run(prepared(tmp_path / "whole", closed, True), overwrite=True)
    assert whole.steps[0].endswith(".replaced")
    assert any("replaced" in what for what in whole.steps[30:])
    check_read(lerobot.read(tmp_path / "whole"), new)
    read: dict[tuple[str, ...], bool] = {}
    for step, what in enumerate(whole.steps):
        if whole.states[step] in whole.states[:step]:
            continue
        root = prepared(tmp_path / f"step{step}", closed, True)
        outcome = recorder.run(root, kill_at=step, overwrite=True)
        assert outcome.killed
        done = recover_dataset(root)
        lengths = [episode.length for episode in DatasetReader(root)]
        assert lengths in ([LENGTHS[0]], [LENGTHS[1]]), f"killed before step {step}: {what}: {done}"
        if outcome.committed:
            assert lengths == [LENGTHS[1]]
        assert not (root / ".replaced").exists()
        assert recover_dataset(root, dry_run=True) == []
        state = (str(lengths), *sorted(files_of(root)))
        if state not in read:
            read[state] = True
            check_read(lerobot.read(root), old if lengths == [LENGTHS[0]] else new)
        shutil.rmtree(root)
    assert {lengths for lengths, *_ in read} == {str([length]) for length in LENGTHS}


def test_killed_between_renames_where_folders_cannot_be_exchanged(tmp_path, recorder, closed, lerobot):
    """Then there is an instant without ``data`` or ``meta``; the next open ends it."""
    whole = recorder.run(prepared(tmp_path / "whole", closed, True), atomic=False)
    exchanges = [step for step, what in enumerate(whole.steps) if what.startswith("exchange")]
    assert len(exchanges) == 6
    for step in exchanges:
        root = prepared(tmp_path / f"step{step}", closed, True)
        assert recorder.run(root, kill_at=step, atomic=False).killed
        with DatasetWriter.append(root) as writer:
            assert record(writer, 2, 2) == 2
        check_read(lerobot.read(root), [*enumerate(LENGTHS), (2, 2)])


def test_killed_at_random_times(tmp_path, recorder, closed, survivors):
    chance = random.Random(3)
    # A machine's speed decides how long a recording takes, and so when a kill still meets it alive.
    began = time.monotonic()
    recorder.run(tmp_path / "whole", kill_at=10**9)
    duration = time.monotonic() - began
    killed = 0
    for trial in range(60):
        appended = trial % 2 == 1
        root = prepared(tmp_path / f"trial{trial}", closed, appended)
        outcome = recorder.run(root, kill_after_s=chance.uniform(0.05, 0.9) * duration)
        killed += outcome.killed
        if killed == 25:
            break
        if outcome.killed and root.exists():
            check_after_kill(root, appended + outcome.committed, survivors)
    assert killed >= 15


def prepared(root: Path, closed: Path, appended: bool) -> Path:
    """A place to record into: nothing, or a copy of the dataset with one episode."""
    if appended:
        shutil.copytree(closed, root)
    return root


def test_recover_says_what_it_does(tmp_path, recorder):
    whole = recorder.run(tmp_path / "whole")
    step = next(step for step, what in enumerate(whole.steps) if what.endswith("stats.json") and "replace" in what)
    root = tmp_path / "killed"
    recorder.run(root, kill_at=step + 1)
    before = files_of(root) - {".recording.lock"}
    planned = recover_dataset(root, dry_run=True)
    assert files_of(root) == before
    text = "\n".join(planned)
    for part in ("unfinished work", "data/chunk-001", "meta/episodes/chunk-001", "videos/", "isaac/episodes"):
        assert part in text
    assert recover_dataset(root) == planned
    assert recover_dataset(root) == []
    assert counted_episodes(root) == 0
