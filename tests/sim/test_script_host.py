"""``isaac-lerobot record`` as a process: what a signal leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import isaac_lerobot
from isaac_lerobot.dataset import DatasetReader, check_dataset

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(isaac_lerobot.__file__).parents[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_completes_the_dataset_and_drops_the_running_episode(tmp_path, number):
    root = tmp_path / "counted"
    options = ["--task", "Counter-v0", "--task_packages", "sim.counter_task", "--teleop_device", "scripted"]
    options += ["--dataset_file", str(root), "--state_keys", "policy/step", "--step_hz", "40"]
    process = subprocess.Popen(
        [sys.executable, "-m", "isaac_lerobot", "record", *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(TESTS)])},
    )
    deadline = time.monotonic() + 120
    while not list(root.glob("meta/episodes/*/*.parquet")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, said
    dataset = DatasetReader(root)
    assert len(dataset) >= 1
    assert {episode.length for episode in dataset} <= {12, 5}, "no episode was cut short"
    assert check_dataset(root).ok
    assert str(root) in said.splitlines()[-1]
