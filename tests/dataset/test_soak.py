"""Many episodes in one dataset: nothing grows but the dataset."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from dataset.recordings import FEATURES, check_pictures, frame, record
from isaac_lerobot.dataset import DatasetWriter, recover_dataset

EPISODES = 1000
LENGTH = 5


def resident_anonymous() -> int:
    """Memory of this process that is not of files [kB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def children() -> int:
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_thousand_episodes(tmp_path, lerobot):
    root = tmp_path / "set"
    seen = []
    others = children()
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        for episode in range(EPISODES):
            record(writer, episode, LENGTH, f"task {episode % 3}", success=episode % 2 == 0)
            if episode % 100 == 99:
                writer.wait()
                handles = len(os.listdir("/proc/self/fd"))
                seen.append((handles, threading.active_count(), children() - others, resident_anonymous()))
        kept = sum(1 for path in (root / "data").rglob("*.parquet"))
        assert kept == EPISODES
    handles, threads, processes, memory = zip(*seen, strict=True)
    assert max(handles) - handles[0] <= 2
    assert max(threads) == threads[0]
    assert max(processes) == 0
    assert memory[-1] - memory[2] < 20_000
    assert recover_dataset(root, dry_run=True) == []
    assert len(list(root.rglob("*.mp4"))) == 1
    picked = list(range(0, EPISODES * LENGTH, 97))
    read = lerobot.read(root, frames=picked)
    assert read.lengths == [LENGTH] * EPISODES
    for row, number in enumerate(picked):
        want = frame(number // LENGTH, number % LENGTH)
        np.testing.assert_array_equal(read.columns["observation.state"][row], want["observation.state"])
        check_pictures(read.columns["observation.images.front"][row][None], [want["observation.images.front"]])
