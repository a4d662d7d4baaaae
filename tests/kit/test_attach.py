"""``attach=true``: a script's own environment is recorded by the extension, the script none the wiser."""

import subprocess
import sys
from pathlib import Path

from isaac_lerobot.dataset import DatasetReader

HERE = Path(__file__).resolve().parent


def test_a_scripts_environment_is_recorded(tmp_path):
    command = [sys.executable, str(HERE / "attached_script.py"), str(tmp_path / "attached")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "registered LeRobotDatasetFileHandler" in done.stdout
    dataset = DatasetReader(tmp_path / "attached")
    # What counter_task promises: a time-out after 12 steps, then a failure after 5, and so on.
    assert [episode.length for episode in dataset][:3] == [12, 5, 12]
    for episode in dataset:
        assert episode["observation.state"].ravel().tolist() == list(range(episode.length))
        assert (episode["action"][:, 1] == -episode["observation.state"].ravel() - 0.25).all()
