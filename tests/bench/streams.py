"""Many environments with two cameras each, flat out: ``python -m bench.streams KIND ENVS SIZE STEPS SCENE.npy FOLDER``.

KIND is ``ours``, ``saving`` (ours, without waiting for the encoders before the episodes are saved) or ``bare``: x264
contexts of this process with the same options, fed by as many threads as cores.
Prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.load import MemoryWatch, cpu_seconds, family
from bench.recorders import CAMERAS, FPS, features
from isaac_lerobot.dataset import DatasetWriter, VideoCodec
from isaac_lerobot.dataset.video.engine import Library

Scene = np.ndarray


def ours(envs: int, steps: int, scene: Scene, folder: Path) -> dict[str, float]:
    """Record one episode of each environment; ``wall`` is until all pictures are encoded."""
    return _record(envs, steps, scene, folder, encoded_first=True)


def saving(envs: int, steps: int, scene: Scene, folder: Path) -> dict[str, float]:
    """Record one episode of each environment, and save them all after the last step."""
    return _record(envs, steps, scene, folder, encoded_first=False)


def _record(envs: int, steps: int, scene: Scene, folder: Path, encoded_first: bool) -> dict[str, float]:
    writer = DatasetWriter.create(folder, FPS, features(*scene.shape[2:4]))
    state, action = np.zeros(14, np.float32), np.zeros(7, np.float32)
    memory, cpu, began = MemoryWatch(), cpu_seconds(), time.perf_counter()
    episodes = [writer.begin_episode("many") for _ in range(envs)]
    first = 0.0
    for step in range(steps):
        for env_id, episode in enumerate(episodes):
            shown = scene[(step + 7 * env_id) % len(scene)]
            cameras = {f"observation.images.{camera}": shown[i] for i, camera in enumerate(CAMERAS)}
            episode.add_frame({"observation.state": state, "action": action, **cameras})
        first = first or time.perf_counter() - began
    tasks = sum(_threads(pid) for pid in family(os.getpid())) - 1  # but for the one that watches the memory
    last = time.perf_counter()
    while encoded_first and writer.status.queue_depth:
        time.sleep(0.001)
    figures = {"wall": time.perf_counter() - began, "cpu": cpu_seconds() - cpu, "first": first, "tasks": tasks}
    for episode in episodes:
        episode.save()
    writer.wait()
    figures |= {"saved": time.perf_counter() - last, "peak": memory.stop()}
    writer.close(join_files=False)
    return figures


def bare(envs: int, steps: int, scene: Scene, folder: Path) -> dict[str, float]:
    """Encode the same pictures and nothing else."""
    folder.mkdir(parents=True)
    codec, shape = VideoCodec(), scene.shape[2:]

    def encode(mine: range) -> None:
        engines = {stream: Library(folder / f"{stream}.mp4", shape, FPS, codec) for stream in mine}
        for step in range(steps):
            for stream, engine in engines.items():
                engine.write(scene[(step + 7 * (stream // 2)) % len(scene), stream % 2])
        for engine in engines.values():
            engine.finish()

    number = os.cpu_count() or 1
    threads = [threading.Thread(target=encode, args=(range(k, 2 * envs, number),)) for k in range(number)]
    cpu, began = cpu_seconds(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"wall": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def _scaled(scene: Scene, size: int) -> Scene:
    """Every k-th pixel of the middle of the scene's pictures, ``size`` pixels high and wide."""
    height, width = scene.shape[2:4]
    step = min(height, width) // size
    top, left = (height - step * size) // 2, (width - step * size) // 2
    return np.ascontiguousarray(scene[:, :, top::step, left::step][:, :, :size, :size])


if __name__ == "__main__":
    kind, envs, size, steps, scene, folder = sys.argv[1:]
    measure: Callable[..., dict[str, float]] = {"ours": ours, "saving": saving, "bare": bare}[kind]
    pictures = _scaled(np.load(scene, mmap_mode="r"), int(size))
    print(json.dumps(measure(int(envs), int(steps), pictures, Path(folder))))
