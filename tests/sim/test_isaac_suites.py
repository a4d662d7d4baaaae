"""Isaac Lab's own tests of its recorder manager and its HDF5 handler, with ours in HDF5's place.

They come from Isaac Lab's wheel and run as they are; see :mod:`sim.in_hdf5s_place` for what they import in the place of
what. Each run is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import isaaclab
import newton.examples
import pytest

TESTS = Path(isaaclab.__file__).parent / "source" / "isaaclab" / "test"
SUITES = (
    "managers/test_recorder_manager.py",
    "managers/test_recorder_manager_integration.py",
    "envs/test_action_state_recorder_term.py",
    "envs/test_action_state_recorder_term_task_integration.py",
    "utils/test_hdf5_dataset_file_handler.py",
)
PASSED = "passed"
NOT_APPLICABLE = {
    # Their manager counts its terms; the streaming one is a third.
    "test_str": "assert 3 == 2",
    # Their double of an environment has neither a recorder manager nor observations: nothing to stream.
    "test_record": "'DummyEnv' object has no attribute 'recorder_manager'",
    # Their environment has no observations; a LeRobot recording is made of some, and says so.
    "test_manager_based_env_close_exports_buffered_recorder_data[cpu]": "its observations are not known",
}
"""Tests of theirs that do not apply to ``LeRobotRecorderManagerCfg``, and how they fail."""


@pytest.fixture(scope="module")
def asset_root(tmp_path_factory):
    """A folder that stands for NVIDIA's asset server: Newton brings a cart-pole with the same joints."""
    folder = tmp_path_factory.mktemp("assets")
    there = folder / "Isaac" / "IsaacLab" / "Robots" / "Classic" / "Cartpole" / "cartpole.usd"
    there.parent.mkdir(parents=True)
    usd = Path(newton.examples.get_asset("cartpole_single_pendulum.usda")).read_text()
    # Its default prim is misspelt.
    there.write_text(usd.replace('defaultPrim = "cartPole"', 'defaultPrim = "cartpole"'))
    return folder


@pytest.fixture
def outcomes(asset_root, tmp_path):
    """Returns a function that runs the suites and tells what became of each test: ``passed``, or why it failed."""

    def run(variant: str) -> dict[str, str]:
        settings = tmp_path / "pytest.ini"
        settings.write_text("[pytest]\nmarkers =\n    unit: theirs\n    integration: theirs\n")
        report = tmp_path / "report.xml"
        environment = {
            **os.environ,
            "IN_HDF5S_PLACE": variant,
            "ISAACSIM_ASSET_ROOT": str(asset_root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        options = ["-q", "-p", "no:dash", "-p", "no:anyio", "-p", "no:cacheprovider", "-p", "sim.in_hdf5s_place"]
        command = [sys.executable, "-m", "pytest", *options, "-c", settings, "--rootdir", tmp_path]
        command += [f"--junitxml={report}", *(TESTS / suite for suite in SUITES)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
        assert report.is_file(), done.stdout + done.stderr
        return {str(case.get("name")): _outcome(case) for case in ElementTree.parse(report).iter("testcase")}

    return run


def _outcome(case: ElementTree.Element) -> str:
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return f"{kind}: {found.get('message')}"
    return PASSED


def test_they_pass_with_isaac_labs_own_recorder(outcomes):
    """So whatever fails below fails because of us."""
    found = outcomes("stock")
    assert len(found) == 9
    assert set(found.values()) == {PASSED}, found


def test_they_pass_with_our_handler(outcomes):
    found = outcomes("handler")
    assert len(found) == 9
    assert set(found.values()) == {PASSED}, found


def test_they_pass_with_our_configuration_where_they_apply(outcomes):
    found = outcomes("cfg")
    assert len(found) == 9
    assert {name for name, outcome in found.items() if outcome != PASSED} == set(NOT_APPLICABLE), found
    for name, reason in NOT_APPLICABLE.items():
        assert reason in found[name]
