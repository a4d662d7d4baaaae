"""The commands that have Isaac Lab's own launcher start Kit: what they open, and what leaving them leaves behind.

The launcher, ``SimulationApp`` and Isaac Lab's rendering experience are the real ones (``host.isaac_sim``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from host.kit_host import APP_VARIABLE
from isaac_lerobot.dataset import DatasetReader, check_dataset

SCRIPT = Path(__file__).with_name("launched_command.py")
WORDS = ["--task", "Counter-v0", "--task_packages", "sim.counter_task", "--teleop_device", "scripted"]
WORDS += ["--state_keys", "policy/step", "--cameras"]

pytestmark = pytest.mark.skipif(os.environ.get(APP_VARIABLE) != "user", reason="the bare kernel has no SimulationApp")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "a folder" / "counted"


def run(root: Path, leave: str, command: str, *words: str) -> tuple[int, dict, str]:
    """Run a command until its operator leaves; return its exit code, what he has seen and all it said."""
    home, notes = root.parents[1] / "kit", root.parents[1] / "notes.json"
    home.mkdir()
    arguments = [command, *WORDS, "--dataset", str(root), *words]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(home), str(notes), leave, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "DISPLAY": ""},  # enough of one for SimulationApp to leave --no-window out
    )
    assert notes.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return done.returncode, json.loads(notes.read_text(encoding="utf-8")), done.stdout + done.stderr


def lengths(root: Path) -> set[int]:
    assert check_dataset(root).ok
    return {episode.length for episode in DatasetReader(root)}


@pytest.mark.parametrize(("leave", "code"), [("ctrl-c", 130), ("close", 0)])
def test_the_panel_in_isaac_labs_own_app(root, leave, code):
    words = ["--device", "cpu", "--task_description", "count, and do not stop", "--num_demos", "50"]
    returned, seen, said = run(root, leave, "panel", *words)
    assert returned == code
    assert "Traceback" not in said
    assert ("Interrupted: the dataset is completed" in said) is (leave == "ctrl-c")
    assert "LeRobot Recorder" in seen["windows"]
    assert seen["config"] == {
        "task": "Counter-v0",
        "task_packages": ["sim.counter_task"],
        "teleop_device": "scripted",
        "state_keys": ["policy/step"],
        "cameras": [],
        "device": "cpu",
        "dataset": str(root),
        "task_description": "count, and do not stop",
        "num_demos": 50,
    }
    assert seen["settings"] == {
        "/app/name": "IsaacLab",
        "/app/renderer/waitIdle": True,
        "/isaaclab/has_gui": True,
        "/isaaclab/visualizer/types": "kit",
    }
    assert lengths(root) <= {12, 5}, "no episode was cut short"


def test_record_with_a_window(root, tmp_path):
    """The device comes from a preset: Isaac Lab's launcher would choose a GPU, and there is none here."""
    (tmp_path / "on_cpu.toml").write_text('device = "cpu"\n')
    returned, seen, _ = run(root, "ctrl-c", "record", "--viz", "kit", "--preset", str(tmp_path / "on_cpu.toml"))
    assert returned == 130
    assert seen["settings"]["/isaaclab/visualizer/types"] == "kit"
    assert lengths(root) <= {12, 5}, "no episode was cut short"


def test_kit_gets_kit_args_and_nothing_else_of_the_command_line(root):
    """It takes every word of a process's command line for one of its own. With --info, its starter says what it got."""
    returned, _, said = run(root, "close", "record", "--viz", "kit", "--device", "cpu", "--info")
    assert returned == 0
    got = next(line for line in said.splitlines() if line.startswith("Passing the following args"))
    assert "'--portable-root'" in got
    for word in ("record", "--task", "Counter-v0", "--dataset", str(root)):
        assert f"'{word}'" not in got
    assert lengths(root) <= {12, 5}, "no episode was cut short"
