"""``attach=true``: a script's own environment is recorded by the extension, the script none the wiser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host import isaac_sim
from host.kit_host import RECORDER
from isaac_lerobot.dataset import DatasetReader

HERE = Path(__file__).resolve().parent


@pytest.mark.app("user")
def test_a_scripts_environment_is_recorded(tmp_path):
    dataset = tmp_path / "attached"
    options = {"attach": "true", "dataset": dataset, "state_keys": "[policy/step]"}
    kit_arguments = ["--enable", RECORDER, *(f"--/exts/{RECORDER}/{name}={value}" for name, value in options.items())]
    flags = ["--viz", "kit", "--device", "cpu", *isaac_sim.launcher_arguments(tmp_path / "kit", *kit_arguments)]
    done = subprocess.run(
        [sys.executable, str(HERE / "attached_script.py"), *flags],
        env={**os.environ, **isaac_sim.environment(), "DISPLAY": ""},  # enough of one to leave --no-window out
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "registered LeRobotDatasetFileHandler" in done.stdout
    recorded = DatasetReader(dataset)
    # What counter_task promises: a time-out after 12 steps, then a failure after 5, and so on.
    assert [episode.length for episode in recorded][:3] == [12, 5, 12]
    for episode in recorded:
        assert episode["observation.state"].ravel().tolist() == list(range(episode.length))
        assert (episode["action"][:, 1] == -episode["observation.state"].ravel() - 0.25).all()
