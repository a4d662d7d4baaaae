"""A process killed at any instant leaves a dataset that the real lerobot opens with every committed episode."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_recording import LENGTHS, CrashRecorder
from recordings import FEATURES, check_read, files_of, record

from isaac_lerobot.dataset import DatasetWriter, repair_dataset


@pytest.fixture(scope="module")
def recorder() -> Iterator[CrashRecorder]:
    recorder = CrashRecorder()
    yield recorder
    recorder.close()


def counted_episodes(root: Path) -> int:
    """Episodes that ``info.json`` counts; 0 before there is one."""
    path = root / "meta/info.json"
    return json.loads(path.read_text())["total_episodes"] if path.is_file() else 0


def check_survivors(root: Path, committed: int, lerobot) -> int:
    """Check that lerobot reads at least the committed episodes; return how many there are."""
    count = counted_episodes(root)
    assert committed <= count <= committed + 1
    if count:
        check_read(lerobot.read(root), list(enumerate(LENGTHS))[:count])
    return count


def check_goes_on(root: Path, count: int, lerobot, read: bool) -> None:
    """Check that the next recording removes all traces of the interrupted one and goes on."""
    opened = DatasetWriter.append(root) if (root / "meta").is_dir() and count else None
    if opened is None:
        opened = DatasetWriter.create(root, 30, FEATURES, overwrite=(root / "meta/info.json").is_file())
    with opened as writer:
        assert repair_is_quiet(root)
        assert record(writer, count, 2) == count
    assert not (root / ".recording").exists()
    chunks = ("data/chunk-000/", "meta/episodes/chunk-000/", "videos/observation.images.front/chunk-000/", "isaac/")
    single = {"meta/info.json", "meta/isaac_lerobot.json", "meta/stats.json", "meta/tasks.parquet"}
    assert single == {name for name in files_of(root) if not name.startswith(chunks)}
    assert repair_dataset(root, dry_run=True) == []
    if read:
        check_read(lerobot.read(root), [*list(enumerate(LENGTHS))[:count], (count, 2)])


def repair_is_quiet(root: Path) -> bool:
    return not (root / ".recording").exists() or not list((root / ".recording").iterdir())


def test_killed_before_every_durable_step(tmp_path, recorder, lerobot):
    whole = recorder.run(tmp_path / "whole")
    assert not whole.killed
    assert whole.committed == 3
    check_read(lerobot.read(tmp_path / "whole"), list(enumerate(LENGTHS)))
    assert len(whole.steps) > 100
    for step, what in enumerate(whole.steps):
        root = tmp_path / f"step{step}"
        outcome = recorder.run(root, kill_at=step)
        assert outcome.killed
        try:
            count = check_survivors(root, outcome.committed, lerobot)
            check_goes_on(root, count, lerobot, read=step % 4 == 0)
        except BaseException as error:
            error.add_note(f"killed before step {step}: {what}")
            raise


def test_killed_between_renames_where_folders_cannot_be_exchanged(tmp_path, recorder, lerobot):
    """Then there is an instant without ``data`` or ``meta``; the next open ends it."""
    whole = recorder.run(tmp_path / "whole", atomic=False)
    exchanges = [step for step, what in enumerate(whole.steps) if what.startswith("exchange")]
    assert len(exchanges) == 12
    for step in exchanges:
        root = tmp_path / f"step{step}"
        outcome = recorder.run(root, kill_at=step, atomic=False)
        assert outcome.killed
        with DatasetWriter.append(root) as writer:
            assert record(writer, outcome.committed, 2) == outcome.committed
        check_read(lerobot.read(root), [*list(enumerate(LENGTHS))[: outcome.committed], (outcome.committed, 2)])


def test_killed_at_random_times(tmp_path, recorder, lerobot):
    chance = random.Random(3)
    killed = 0
    for trial in range(25):
        root = tmp_path / f"trial{trial}"
        outcome = recorder.run(root, kill_after_s=chance.uniform(0.01, 0.6))
        killed += outcome.killed
        count = check_survivors(root, outcome.committed, lerobot)
        if count < len(LENGTHS):
            check_goes_on(root, count, lerobot, read=trial % 4 == 0)
    assert killed >= 10


def test_repair_says_what_it_does(tmp_path, recorder):
    whole = recorder.run(tmp_path / "whole")
    step = next(step for step, what in enumerate(whole.steps) if what.endswith("stats.json") and "replace" in what)
    root = tmp_path / "killed"
    recorder.run(root, kill_at=step + 1)
    before = files_of(root) - {".recording.lock"}
    planned = repair_dataset(root, dry_run=True)
    assert files_of(root) == before
    text = "\n".join(planned)
    for part in ("unfinished work", "data/chunk-001", "meta/episodes/chunk-001", "videos/", "isaac/episodes"):
        assert part in text
    assert repair_dataset(root) == planned
    assert repair_dataset(root) == []
    assert counted_episodes(root) == 0
