"""Memory of the process while Isaac Lab records one long episode with two cameras.

    tests/host/python -m bench.isaac_memory stream [STEPS]    # LeRobotRecorderManagerCfg
    tests/host/python -m bench.isaac_memory stock [STEPS]     # ActionStateRecorderManagerCfg, HDF5

The last line is JSON: the growth since step 100, when everything is warm, by step, and the process's peak after the
export [MiB]. Encoder processes are not counted.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
from pathlib import Path

import gymnasium
import torch
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.app.demo_task.env_cfg import PickCubeEnvCfg

RECORDERS = {"stream": isaac_lerobot.LeRobotRecorderManagerCfg, "stock": ActionStateRecorderManagerCfg}
WARM = 100


def main(kind: str, steps: int = 2000) -> None:
    """Record one episode and print what it cost."""
    cfg = PickCubeEnvCfg()
    cfg.terminations.time_out = cfg.terminations.success = cfg.terminations.cube_dropped = None
    cfg.recorders = RECORDERS[kind]()
    grown: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        cfg.recorders.dataset_export_dir_path = folder
        env = gymnasium.make(TASK_ID, cfg=cfg).unwrapped
        env.reset()
        warm = 0.0
        for step in range(1, steps + 1):
            policy = env.obs_buf["policy"]
            env.step(torch.cat([policy["joint_pos"][:, :5], policy["gripper"][:, :1]], dim=1))
            if step == WARM:
                warm = _resident()
            if step % 500 == 0:
                grown[str(step)] = _resident() - warm
        env.recorder_manager.export_episodes([0])
        grown["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - warm
        env.close()
    print(json.dumps(grown), flush=True)


def _resident() -> float:
    """Resident memory of this process [MiB]."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
