"""Record in a process that is killed, or may be.

``CrashRecorder().run(root, kill_at=7)`` records in a child process that kills itself with SIGKILL just before its
8th durable step. A server process that has everything imported forks a child per recording, which takes milliseconds.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LENGTHS = (3, 2)
"""Frames of the episodes: one in a first session, one appended in a second."""


@dataclass(frozen=True)
class Outcome:
    """How a recording ended.

    Attributes:
        killed: Whether it was killed.
        committed: Number of episodes that were reported as committed.
        steps: What each durable step was.
        states: For each step what the disk held just before it and how much was reported: equal where nothing was
            different. Only of recordings that are not to be killed.
    """

    killed: bool
    committed: int
    steps: list[str]
    states: list[str]


class CrashRecorder:
    """Runs recordings that may be killed."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # No threads before the forks.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )

    def run(
        self,
        root: Path,
        kill_at: int = -1,
        kill_after_s: float = -1.0,
        atomic: bool = True,
        overwrite: bool = False,
        join_every: int = 500,
    ) -> Outcome:
        """Record an episode into a new ``root``, or append one; be killed before a durable step or after a time."""
        request = {"root": str(root), "kill_at": kill_at, "kill_after_s": kill_after_s, "atomic": atomic}
        request |= {"overwrite": overwrite, "join_every": join_every}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)


def serve() -> None:
    import dataset.recordings  # noqa: F401 - imported here once for all children
    from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

    # Looked for once for all children, too: that starts ffmpeg.
    os.environ["IMAGEIO_FFMPEG_EXE"] = find_ffmpeg()
    for line in sys.stdin:
        request = json.loads(line)
        log = Path(request["root"] + ".log")
        log.write_bytes(b"")
        child = os.fork()
        if child == 0:
            _record(request, log)
        if request["kill_after_s"] >= 0:
            time.sleep(request["kill_after_s"])
            _kill_tree(child)
        _, status = os.waitpid(child, 0)
        written = log.read_text().splitlines()
        steps = [text.partition("\t") for text in written if text != "committed"]
        outcome = {
            "killed": os.WIFSIGNALED(status),
            "committed": written.count("committed"),
            "steps": [step for step, _, _ in steps],
            "states": [state for _, _, state in steps],
        }
        if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
            raise RuntimeError("The recording failed.")
        print(json.dumps(outcome), flush=True)


def _record(request: dict, log: Path) -> None:
    """Record an episode into a new dataset, or append another; never returns."""
    from dataset.recordings import FEATURES, frame
    from isaac_lerobot.dataset import DatasetWriter
    from isaac_lerobot.dataset.disk import durable

    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    count = committed = 0
    to_the_end = request["kill_at"] < 0 and request["kill_after_s"] < 0

    def observe(step: str, path: Path) -> None:
        nonlocal count
        if count == request["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        state = f"{committed} {_state(Path(request['root']))}" if to_the_end else ""
        os.write(descriptor, f"{step} {path}\t{state}\n".encode())
        count += 1

    def on_committed(index: int) -> None:
        nonlocal committed
        committed += 1
        os.write(descriptor, b"committed\n")

    code = 1
    try:
        durable.observers.append(observe)
        if not request["atomic"]:
            ctypes.CDLL = lambda *_, **__: object()  # a C library without renameat2
        root = request["root"]
        options = {"join_every": request["join_every"], "on_committed": on_committed}
        if request["overwrite"]:
            writer = DatasetWriter.create(root, 30, FEATURES, overwrite=True, **options)
            lengths = LENGTHS[1:]
        elif Path(root, "meta/info.json").exists():
            writer, lengths = DatasetWriter.append(root, **options), LENGTHS[1:]
        else:
            writer, lengths = DatasetWriter.create(root, 30, FEATURES, **options), LENGTHS[:1]
        first = writer.status.committed_episodes
        lost = writer.begin_episode("never saved")
        lost.add_frame(frame(99, 0), {"state": 1.0})
        for offset, length in enumerate(lengths):
            episode = writer.begin_episode(f"task {first + offset}", attributes={"seed": 1})
            for number in range(length):
                episode.add_frame(frame(first + offset, number), {"state": float(number)})
            episode.save(success=True, arrays={"start": number})
            # One at a time, so that step n is the same step in every run.
            writer.wait()
        writer.close()
        code = 0
    finally:
        os._exit(code)


def _state(root: Path) -> str:
    """Tell what is on the disk; of what an open episode leaves in its staging folder only the names."""
    state = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        state.update(name.encode())
        if path.is_file() and not name.startswith(".recording/episode"):
            state.update(path.read_bytes())
    return state.hexdigest()


def _kill_tree(process: int) -> None:
    """Kill a process and its children at once, as a crash of the machine's user session does."""
    family = [process]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == process:
                family.append(int(entry.name))
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    serve()
