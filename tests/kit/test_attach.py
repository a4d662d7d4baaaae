"""``attach=true``: a script's own environment is recorded by the extension, the script none the wiser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host import isaac_sim
from host.kit_host import RECORDER
from isaac_lerobot.dataset import DatasetReader, check_dataset

HERE = Path(__file__).resolve().parent


pytestmark = pytest.mark.app("user")


def record(dataset: Path, *flags: str) -> str:
    """Run the script with the extension attached to it; return what it said."""
    options = {"attach": "true", "dataset": dataset, "state_keys": "[policy/step]"}
    kit_arguments = ["--enable", RECORDER, *(f"--/exts/{RECORDER}/{name}={value}" for name, value in options.items())]
    launcher = isaac_sim.launcher_arguments(dataset.parent / "kit", *kit_arguments)
    done = subprocess.run(
        [sys.executable, str(HERE / "attached_script.py"), "--viz", "kit", "--device", "cpu", *launcher, *flags],
        env={**os.environ, **isaac_sim.environment(), "DISPLAY": ""},  # enough of one to leave --no-window out
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def lengths(dataset: Path) -> list[int]:
    """Return the lengths of the episodes, each of which must be what counter_task promises."""
    recorded = DatasetReader(dataset)
    for episode in recorded:
        assert episode["observation.state"].ravel().tolist() == list(range(episode.length))
        assert (episode["action"][:, 1] == -episode["observation.state"].ravel() - 0.25).all()
    return [episode.length for episode in recorded]


def test_a_scripts_environment_is_recorded(tmp_path):
    said = record(tmp_path / "attached")
    assert "registered LeRobotDatasetFileHandler" in said
    # A time-out after 12 steps, then a failure after 5, and so on.
    assert lengths(tmp_path / "attached")[:3] == [12, 5, 12]


def test_the_dataset_is_complete_when_the_app_is_closed_in_the_middle_of_a_scripts_episode(tmp_path):
    record(tmp_path / "attached", "--app_is_closed")
    assert not (tmp_path / "attached" / ".recording").exists(), "the files of the episodes have been joined"
    assert check_dataset(tmp_path / "attached").ok
    assert lengths(tmp_path / "attached")[:4] == [12, 5, 12, 5]
