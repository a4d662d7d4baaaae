"""Pool: the few threads that encode the pictures of any number of cameras, and the memory in which these wait."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.errors import EncoderError

Picture = NDArray[np.uint8]

WAITING_BYTES = 64 * 2**20
"""Memory for the pictures that wait for the encoders of a process, those of all its cameras together. What waits when
an episode ends is what saving it takes longer."""
_WAITING_FRAMES = 4
"""Frames for which there is room, however large their pictures."""
PATIENCE_S = 60.0
"""An encoder that takes no picture for so long hangs."""
_LOOKS = 10


class Work(Protocol):
    """What a pool's threads do, in turns."""

    progress: int

    def turn(self) -> bool:
        """Do a part of it, whatever happens; return whether there is more to do at once."""

    def give_up(self) -> None:
        """It hangs: its turn has not ended and made no progress. Called with the pool's lock held."""


@dataclass(eq=False)
class _Worker:
    work: Work | None = None
    seen: tuple[Work | None, int] = (None, 0)
    looks: int = 0
    is_lost: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)


class EncoderPool:
    """A bounded number of threads that work in turns, and a bounded memory for pictures.

    A process has one, whatever the number of its cameras and datasets: see :func:`encoder_pool`.

    Args:
        threads: Most threads.
        memory: Most memory for pictures [bytes], but for a few frames of any size.

    Attributes:
        changed: Held while the state of the work is looked at or changed, told after each turn.
    """

    def __init__(self, threads: int, memory: int) -> None:
        self._limit, self._memory = threads, memory
        lock = threading.Lock()
        self.changed, self._arrived = threading.Condition(lock), threading.Condition(lock)
        self._queue: deque[Work] = deque()
        self._workers: list[_Worker] = []
        self._idle = 0
        self._looked = 0.0
        self._free: dict[tuple[int, ...], list[Picture]] = {}
        self._allocated = self._in_use = 0

    def schedule(self, work: Work) -> None:
        """Have a turn of the work done. Call with the lock held, and not again before that turn has ended.

        Raises:
            EncoderError: The system allows no thread to do it.
        """
        self._queue.append(work)
        if len(self._queue) > self._idle and len(self._workers) < self._limit:
            try:
                self._start_worker()
            except RuntimeError as error:
                if not self._workers:
                    self._queue.remove(work)
                    raise EncoderError(f"No thread can be started to encode videos: {error}.") from error
        self._arrived.notify()

    def wait(self) -> None:
        """Wait until something has changed, or a while. Call with the lock held, in a loop that looks what it was."""
        self.changed.wait(PATIENCE_S / _LOOKS)
        self._look()

    def take(self, shapes: list[tuple[int, ...]]) -> list[Picture] | None:
        """Return a buffer of each shape, with arbitrary content, or None while there is no room for all of them.

        Call with the lock held.
        """
        size = sum(math.prod(shape) for shape in shapes)
        if self._in_use + size > max(self._memory, _WAITING_FRAMES * size):
            return None
        taken = [self._take(shape) for shape in shapes]
        self._in_use += size
        if self._allocated > max(self._memory, self._in_use):
            self._forget_free()
        return taken

    def give_back(self, buffers: list[Picture]) -> None:
        """Take buffers back that nobody uses any more. Call with the lock held."""
        for buffer in buffers:
            self._in_use -= buffer.nbytes
            self._free.setdefault(buffer.shape, []).append(buffer)
        if not self._in_use and self._allocated > self._memory // 4:
            self._forget_free()

    def _take(self, shape: tuple[int, ...]) -> Picture:
        free = self._free.get(shape)
        if free:
            return free.pop()
        buffer = np.empty(shape, np.uint8)
        self._allocated += buffer.nbytes
        return buffer

    def _forget_free(self) -> None:
        self._free.clear()
        self._allocated = self._in_use

    def _start_worker(self) -> None:
        worker = _Worker()
        worker.thread = threading.Thread(target=self._run, args=(worker,), name="encode", daemon=True)
        worker.thread.start()
        self._workers.append(worker)

    def _run(self, worker: _Worker) -> None:
        while True:
            with self.changed:
                self._idle += 1
                while not self._queue:
                    self._arrived.wait()
                self._idle -= 1
                work = worker.work = self._queue.popleft()
            goes_on = work.turn()
            with self.changed:
                worker.work = None
                if goes_on:
                    self._queue.append(work)
                    self._arrived.notify()
                self.changed.notify_all()
                if worker.is_lost:
                    return

    def _look(self) -> None:
        """Give up what makes no progress. Looks are counted, as time passes for a process that is stopped, too."""
        now = time.monotonic()
        if now - self._looked < PATIENCE_S / _LOOKS:
            return
        self._looked = now
        for worker in list(self._workers):
            seen = (worker.work, worker.work.progress if worker.work is not None else 0)
            worker.looks = worker.looks + 1 if worker.work is not None and seen == worker.seen else 0
            worker.seen = seen
            if worker.looks >= _LOOKS and worker.work is not None:
                self._replace(worker, worker.work)

    def _replace(self, worker: _Worker, hanging: Work) -> None:
        self._workers.remove(worker)
        worker.is_lost = True
        hanging.give_up()
        self.changed.notify_all()
        if self._queue:
            try:
                self._start_worker()
            except RuntimeError:  # the others go on
                pass


_pool: EncoderPool | None = None
_making = threading.Lock()


def encoder_pool() -> EncoderPool:
    """Return the pool of this process: as many threads as there are cores, two at least."""
    global _pool
    with _making:
        if _pool is None:
            _pool = EncoderPool(max(2, _cores()), WAITING_BYTES)
        return _pool


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forget_pool() -> None:
    """A forked child has the memory of a pool, and none of its threads."""
    global _pool, _making
    _pool, _making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
