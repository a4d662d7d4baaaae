"""The app is closed while something is recorded; fast shutdown is on, as in every Isaac Sim app."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from isaac_lerobot.dataset import DatasetReader

SCRIPT = Path(__file__).with_name("closing_script.py")


@pytest.fixture(autouse=True)
def user_app(kit):
    if kit.kind != "user":
        pytest.skip("fast shutdown ends the process; each of these tests starts the user's app")


@pytest.mark.parametrize("way", ["stay, then keep", "discard, in a hurry", "uncancellable", "between episodes"])
def test_the_dataset_is_complete_whichever_way_the_app_is_closed(tmp_path, way):
    command = [sys.executable, str(SCRIPT), str(tmp_path / "counted"), way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 3, done.stdout[-3000:] + done.stderr[-3000:]
    assert ("asked: An episode is running" in done.stdout) is (way in ("stay, then keep", "discard, in a hurry"))
    assert not (tmp_path / "counted" / ".recording").exists(), "the files of the episodes have been joined"
    lengths = [episode.length for episode in DatasetReader(tmp_path / "counted")]
    assert lengths[:2] == [12, 5]
    saved, running = (int(number) for number in re.findall(r"saved (\d+) running (\d+)", done.stdout)[-1])
    if way == "stay, then keep":
        assert (len(lengths), lengths[-1]) == (saved + 1, running)
    if way == "discard, in a hurry":
        assert len(lengths) == saved
