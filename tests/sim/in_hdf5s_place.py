"""A pytest plugin for Isaac Lab's own tests: our classes under the names of its HDF5 ones, on Newton and on the CPU.

Isaac Lab's wheel brings its tests. They run as they are, from where they are installed; what is exchanged here, before
they are collected, is what they import:

- the recorder: with ``IN_HDF5S_PLACE=handler``, ``HDF5DatasetFileHandler`` is our file handler; with ``cfg``,
  ``RecorderManagerBaseCfg`` and ``ActionStateRecorderManagerCfg`` are our configuration as well; with ``stock`` both
  stay Isaac Lab's, which tells what the rest of this list changes;
- the launcher and the devices: nothing is launched, and the one device is the CPU;
- the physics of their empty scene, and the one task that they ask for, which needs assets that cannot be downloaded
  here: our demo task, an arm and a cube as well;
- ``h5py`` and ``os.path.exists``, as far as they look into what was recorded: a dataset is read by our file handler.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
import torch
from isaaclab.utils import datasets

from isaac_lerobot.episode_data.tensors import flat
from isaac_lerobot.recording.opening import root_of_file
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler

WITHOUT_EPISODES = {
    "test_str",
    "test_create_dataset_file",
    "test_add_env_args_preserves_existing_args_after_reopen",
    "test_create_resets_env_args_when_reusing_handler",
}
"""Tests that look for a file in which there is no episode yet. A LeRobot dataset begins with its first episode, which
says what features it has, so each of theirs is given one."""

_VARIANT = os.environ["IN_HDF5S_PLACE"]
_TASK = "IsaacContrib-Lift-Cube-Franka"


class _DatasetFile:
    """What Isaac Lab's tests read of an HDF5 file, read from the dataset in its place."""

    def __init__(self, path: Any, mode: str) -> None:
        self._handler = LeRobotDatasetFileHandler()
        self._is_there = (root_of_file(str(path)) / "meta" / "info.json").is_file()
        if self._is_there:
            self._handler.open(str(path), mode)

    def __enter__(self) -> _DatasetFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_there:
            self._handler.close()

    def close(self) -> None:
        """h5py's own files are closed as the process ends, and this one is called as they are."""

    def __getitem__(self, name: str) -> _DatasetFile:
        assert name == "data"
        return self

    @property
    def attrs(self) -> dict[str, str]:
        return {"env_args": json.dumps(self._handler.get_env_args())}

    def visititems(self, visit: Callable[[str, Any], None]) -> None:
        for name in self._handler.get_episode_names() if self._is_there else ():
            episode = self._handler.load_episode(name, "cpu")
            assert episode is not None
            for path, value in flat(episode.data).items():
                visit(f"data/{name}/{path}", value.numpy())


def _on_newton(make_cfg: Callable[..., Any]) -> Callable[..., Any]:
    from isaaclab_newton.physics import FeatherstoneSolverCfg, NewtonCfg

    def make(*args: Any, **kwargs: Any) -> Any:
        cfg = make_cfg(*args, **kwargs)
        # MuJoCo's solver refuses a model without joints.
        cfg.sim.physics = NewtonCfg(solver_cfg=FeatherstoneSolverCfg(), use_cuda_graph=False)
        return cfg

    return make


def _the_cpu(*_: Any, **__: Any) -> list[str]:
    return ["cpu"]


_the_cpu.__test__ = False  # its name in their modules is test_devices


def _exchange_surroundings() -> None:
    import isaaclab.test.env_cfgs
    import isaaclab.test.utils
    import isaaclab_tasks  # noqa: F401 (registers the task that is exchanged)

    from isaac_lerobot.app.demo_task import TASK_ID

    isaaclab.test.utils.launch_test_simulation = lambda *_, **__: None
    isaaclab.test.utils.test_devices = _the_cpu
    made = isaaclab.test.env_cfgs.make_empty_manager_based_env_cfg
    isaaclab.test.env_cfgs.make_empty_manager_based_env_cfg = _on_newton(made)
    ours = gymnasium.spec(TASK_ID)
    del gymnasium.registry[_TASK]
    gymnasium.register(_TASK, entry_point=ours.entry_point, disable_env_checker=True, kwargs=ours.kwargs)


def _exchange_handler() -> None:
    assert "isaaclab.managers.recorder_manager" not in sys.modules, "its default handler is settled by now"
    datasets.HDF5DatasetFileHandler = LeRobotDatasetFileHandler
    exists = os.path.exists
    os.path.exists = lambda path: exists(path) or root_of_file(str(path)).exists()
    h5py.File, h5py.Dataset = _DatasetFile, np.ndarray


def _exchange_configurations() -> None:
    from isaaclab import managers
    from isaaclab.envs.mdp.recorders import recorders_cfg

    from isaac_lerobot.sim.manager.cfg import LeRobotRecorderManagerCfg

    managers.RecorderManagerBaseCfg = LeRobotRecorderManagerCfg
    recorders_cfg.ActionStateRecorderManagerCfg = LeRobotRecorderManagerCfg


# The handler first: the recorder manager's module takes it for its default when it is imported.
if _VARIANT != "stock":
    _exchange_handler()
_exchange_surroundings()
if _VARIANT == "cfg":
    _exchange_configurations()


@pytest.fixture(autouse=True)
def _an_episode_in_each_dataset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if _VARIANT == "stock" or request.node.originalname not in WITHOUT_EPISODES:
        return
    create = LeRobotDatasetFileHandler.create

    def create_with_an_episode(handler: Any, file_path: str, env_name: str | None = None) -> None:
        create(handler, file_path, env_name)
        episode = datasets.EpisodeData()
        episode.add("actions", torch.zeros(1))
        episode.pre_export()
        handler.write_episode(episode)

    monkeypatch.setattr(LeRobotDatasetFileHandler, "create", create_with_an_episode)
