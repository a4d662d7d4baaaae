"""One recorder in a process of its own: reads a JSON command per line, answers with a JSON result per line.

python -m bench.worker RECORDER FRAMES.npy FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import recorders
from bench.load import MemoryWatch, busy_step, cpu_seconds


def main(name: str, scene: str, folder: str) -> None:
    """Serve commands until the input ends."""
    # Libraries print; the answers keep the real standard output to themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    frames = np.load(scene, mmap_mode="r")
    recorder = recorders.make(name, Path(folder), *frames.shape[2:4])
    commands: dict[str, Callable[..., Any]] = {"episode": _episode, "close": _close}
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        command = json.loads(line)
        result = commands[command.pop("do")](recorder, frames, **command)
        print(json.dumps(result), file=answers)


def _episode(recorder: recorders.Recorder, scene: np.ndarray, frames: int, busy: bool) -> dict[str, Any]:
    """Record one episode and say what it cost."""
    state, action = np.linspace(0, 1, 14, dtype=np.float32), np.linspace(0, 1, 7, dtype=np.float32)
    adds, loads = [], []
    memory = MemoryWatch()
    cpu, began = cpu_seconds(), time.perf_counter()
    recorder.begin()
    for index in range(frames):
        if busy:
            before = time.perf_counter()
            busy_step()
            loads.append(time.perf_counter() - before)
        before = time.perf_counter()
        recorder.add(state + index, action + index, scene[index % len(scene)])
        adds.append(time.perf_counter() - before)
    last = time.perf_counter()
    recorder.end()
    ended = time.perf_counter()
    return {
        "adds": adds,
        "load": sum(loads),
        "stop": ended - last,
        "wall": ended - began,
        "cpu": cpu_seconds() - cpu,
        "peak": memory.stop(),
    }


def _close(recorder: recorders.Recorder, scene: np.ndarray) -> dict[str, Any]:
    before = time.perf_counter()
    recorder.close()
    return {"close": time.perf_counter() - before}


if __name__ == "__main__":
    main(*sys.argv[1:])
