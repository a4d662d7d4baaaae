"""What a recorder is measured beside and with: a busy simulation step, CPU time and memory of a process tree."""

from __future__ import annotations

import os
import resource
import threading
import time
from pathlib import Path

import numpy as np

STEP = 0.020
"""Length of the simulated step [s]."""

_MATRIX = np.random.default_rng(0).random((64, 64))


def busy_step() -> None:
    """Work for 20 ms of this thread's own time: half pure Python, which holds the GIL, half small numpy calls."""
    until = time.perf_counter() + STEP / 2
    total = 0
    while time.perf_counter() < until:
        for number in range(200):
            total += number * number
    until = time.perf_counter() + STEP / 2
    matrix = _MATRIX
    while time.perf_counter() < until:
        matrix = np.tanh(matrix @ _MATRIX)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended [s]."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class MemoryWatch:
    """Samples the anonymous memory of a process and all its descendants, 20 times a second."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Return the peak [bytes]."""
        self._stop.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.peak = max(self.peak, sum(_anonymous(pid) for pid in family(os.getpid())))


def family(root: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(folder.name))
    family, queue = [], [root]
    while queue:
        pid = queue.pop()
        family.append(pid)
        queue += parents.get(pid, [])
    return family


def _anonymous(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
