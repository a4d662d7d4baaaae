"""Renders of the demo task's cameras, the pictures that every recorder of the benchmark is given.

    tests/host/python -m bench.scene OUT.npy FRAMES WIDTH HEIGHT

writes uint8 ``(FRAMES, 2, HEIGHT, WIDTH, 3)``: the scripted operator at work, front and wrist camera.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def render(target: Path, frames: int, width: int, height: int) -> None:
    """Render ``frames`` steps of the scripted operator."""
    import gymnasium

    import isaac_lerobot.app.demo_task as demo_task
    from isaac_lerobot.app.demo_task.env_cfg import PickCubeEnvCfg
    from isaac_lerobot.sim.drive.devices import make_source

    cfg = PickCubeEnvCfg()
    cfg.seed = 0
    cfg.scene.num_envs = 1
    cfg.set_image_size(width, height)
    env = gymnasium.make(demo_task.TASK_ID, cfg=cfg).unwrapped
    env.reset(seed=0)
    source = make_source("scripted", env, task_id=demo_task.TASK_ID, seed=0)
    source.reset()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial.npy")
    pictures = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(frames, 2, height, width, 3))
    for index in range(frames):
        _, _, terminated, truncated, _ = env.step(source.advance())
        for camera, name in enumerate(("front", "wrist")):
            pictures[index, camera] = env.scene.sensors[name].data.output["rgb"].torch[0, ..., :3].numpy()
        if bool((terminated | truncated).any()):
            source.reset()
        if index % 20 == 0:
            print(f"rendered {index} of {frames}", file=sys.stderr, flush=True)
    pictures.flush()
    partial.replace(target)
    env.close()


if __name__ == "__main__":
    render(Path(sys.argv[1]), *(int(value) for value in sys.argv[2:5]))
