"""``make bench``: ours and its peers side by side in one run, ratios first, written to ``docs/benchmarks.md``.

Rounds are interleaved (one episode with each recorder, then the next round), so that a machine whose speed drifts
drifts for all of them. Correctness is tested elsewhere; here is only what things cost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.load import STEP, busy_step
from bench.quality import LEROBOT_PYTHON, in_lerobot, psnr_of_luma
from bench.recorders import CAMERAS, FPS, features
from bench.report import write_report

ROOT = Path(__file__).resolve().parents[2]
PYTHON = {"lerobot": LEROBOT_PYTHON}
SCENE_FRAMES, WIDTH, HEIGHT = 150, 640, 480
EPISODE = 300
OURS, AV1 = "ours", "ours:av1"
LR_DEFAULT, LR_THREADS, LR_STREAM, LR_H264 = (
    f"lerobot:{kind}" for kind in ("default", "threads", "stream", "stream-h264")
)
STREAM_ROUNDS = 3
BUSY_ROUNDS = {"memcpy": 5, OURS: 5, LR_H264: 5, LR_STREAM: 5, "hdf5": 3, LR_DEFAULT: 3, LR_THREADS: 3}
FLAT_ROUNDS = {OURS: 9, "ffmpeg": 9, LR_H264: 7, LR_STREAM: 5, AV1: 3}
JOINED = 41
STREAMS = {"64x128": (64, 128, 200), "256x64": (256, 64, 200)}
"""Environments with two cameras, the size of their pictures, steps."""
SAVED_STEPS = 40


class Worker:
    """A recorder in a process of its own."""

    def __init__(self, name: str, scene: Path, folder: Path) -> None:
        python = PYTHON.get(name.partition(":")[0], Path(sys.executable))
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "source")])
        self._process = subprocess.Popen(
            [str(python), "-m", "bench.worker", name, str(scene), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder.parent / f"{folder.name}.log").open("w"),
            text=True,
            env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "SVT_LOG": "1"},
        )
        self._answer(name)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have a command carried out and return its result."""
        assert self._process.stdin is not None
        print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        return self._answer(do)

    def stop(self) -> None:
        """Complete the dataset and end the process."""
        self.ask("close")
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self, what: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                f"The benchmark's worker ended while it was to do: {what}. Its log is beside the datasets."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(scene: Path, work: Path, scale: float) -> Iterator[tuple[str, Any]]:
    """Run everything; yield the raw figures stage by stage."""
    rounds = {name: max(1, round(count * scale)) for name, count in BUSY_ROUNDS.items()}
    yield "busy", _rounds(scene, work, "busy", rounds)
    yield "flat", _rounds(scene, work, "flat", FLAT_ROUNDS)
    yield "memory", {str(frames): _memory(scene, work, frames) for frames in (EPISODE, 4 * EPISODE)}
    folders = {name: work / f"flat-{name.replace(':', '-')}" for name in (OURS, LR_STREAM)}
    decoded = in_lerobot("decode", str(FPS), str(EPISODE), *map(_video, folders.values()))
    yield "decode", dict(zip(folders, decoded, strict=True))
    yield "quality", {name: _quality(folder, scene) for name, folder in folders.items()}
    yield "join", _joining(scene, work)
    yield "many", {str(count): _many(scene, work, count) for count in (1, 16)}
    yield "streams", {name: _streams(scene, work, *plan, scale) for name, plan in STREAMS.items()}
    yield "session", {str(count): _steps("session", count) for count in (64, 1024)}
    yield "demo", {str(count): _steps("demo", count) for count in (1, 16)}
    yield "isaac", {kind: _isaac_memory(kind) for kind in ("stream", "stock")}


def _rounds(scene: Path, work: Path, load: str, rounds: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    workers = {name: Worker(name, scene, work / f"{load}-{name.replace(':', '-')}") for name in rounds}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in rounds}
    for number in range(max(rounds.values())):
        for name, worker in workers.items():
            if number < rounds[name]:
                _say(f"round {number + 1}: {name}, {load}")
                runs[name].append(worker.ask("episode", frames=EPISODE, busy=load == "busy"))
    for worker in workers.values():
        worker.stop()
    return runs


def _streams(
    scene: Path, work: Path, envs: int, size: int, steps: int, scale: float
) -> dict[str, list[dict[str, float]]]:
    """Record many environments flat out, ours and bare x264 in turns."""
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "bare": [], "saving": []}
    for _ in range(max(1, round(STREAM_ROUNDS * scale))):
        for kind, some in runs.items():
            _say(f"{envs} environments x 2 of {size}x{size}, {steps} steps: {kind}")
            folder = work / "streams"
            length = SAVED_STEPS if kind == "saving" else steps
            command = [sys.executable, "-m", "bench.streams", kind, *map(str, (envs, size, length, scene, folder))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            some.append(json.loads(done.stdout.strip().splitlines()[-1]))
            shutil.rmtree(folder)
    return runs


def _steps(what: str, num_envs: int) -> Any:
    _say(f"what recording adds to a step: {what}, {num_envs} environments")
    command = [str(ROOT / "tests/host/python"), "-m", "bench.steps", what, str(num_envs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _isaac_memory(kind: str) -> dict[str, float]:
    _say(f"memory of Isaac Lab recording an episode of 2,000 steps: {kind}")
    command = [str(ROOT / "tests/host/python"), "-m", "bench.isaac_memory", kind]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    grown: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return grown


def _memory(scene: Path, work: Path, frames: int) -> int:
    _say(f"memory of one episode of {frames} frames")
    worker = Worker(OURS, scene, work / f"memory-{frames}")
    peak = worker.ask("episode", frames=frames, busy=True)["peak"]
    worker.stop()
    return int(peak)


def _video(root: Path) -> str:
    return str(sorted((root / "videos" / f"observation.images.{CAMERAS[0]}").rglob("*.mp4"))[0])


def _quality(folder: Path, scene: Path) -> dict[str, float]:
    """Return bytes per picture and the PSNR of the luma [dB] of a dataset's first frames, both cameras."""
    frames = np.load(scene, mmap_mode="r")
    size, noise = 0, []
    info = json.loads((folder / "meta/info.json").read_text())
    for index, camera in enumerate(CAMERAS):
        files = sorted((folder / "videos" / f"observation.images.{camera}").rglob("*.mp4"))
        size += sum(file.stat().st_size for file in files)
        noise.append(psnr_of_luma(files[0], np.ascontiguousarray(frames[:, index]), FPS))
    return {"bytes_per_frame": size / info["total_frames"] / len(CAMERAS), "psnr_y": statistics.mean(noise)}


def _joining(scene: Path, work: Path) -> dict[str, float]:
    """Join the files of 41 episodes: ours by closing the dataset, lerobot's videos one episode at a time."""
    from isaac_lerobot.dataset import DatasetWriter

    _say(f"joining {JOINED} episodes")
    frames = np.load(scene, mmap_mode="r")
    root = work / "join"
    writer = DatasetWriter.create(root, FPS, features(HEIGHT, WIDTH))
    state, action = np.zeros(14, np.float32), np.zeros(7, np.float32)
    for _ in range(JOINED):
        episode = writer.begin_episode("join")
        for index in range(EPISODE):
            shown = frames[index % len(frames)]
            pictures = {f"observation.images.{camera}": shown[i] for i, camera in enumerate(CAMERAS)}
            episode.add_frame({"observation.state": state, "action": action, **pictures})
        episode.save()
        writer.wait()  # one at a time, as an operator records
    theirs = 0.0
    for camera in CAMERAS:
        files = sorted((root / "videos" / f"observation.images.{camera}").rglob("*.mp4"))
        theirs += in_lerobot("join", str(work / f"joined-{camera}.mp4"), *(str(file) for file in files))
    before = time.perf_counter()
    writer.close()
    return {"ours": time.perf_counter() - before, "theirs": theirs}


def _many(scene: Path, work: Path, count: int) -> float:
    """Return the frames per second of ``count`` environments recorded at once, two cameras of 128x128 each."""
    from isaac_lerobot.dataset import DatasetWriter

    _say(f"{count} environments of 128x128 at once")
    pictures = np.ascontiguousarray(np.load(scene, mmap_mode="r")[:, :, ::3, ::4][:, :, :128, :128])
    writer = DatasetWriter.create(work / f"many-{count}", FPS, features(128, 128))
    state, action = np.zeros(14, np.float32), np.zeros(7, np.float32)
    episodes = [writer.begin_episode("many") for _ in range(count)]
    steps = 200
    before = time.perf_counter()
    for index in range(steps):
        busy_step()
        for env_id, episode in enumerate(episodes):
            shown = pictures[(index + 7 * env_id) % len(pictures)]
            cameras = {f"observation.images.{camera}": shown[i] for i, camera in enumerate(CAMERAS)}
            episode.add_frame({"observation.state": state, "action": action, **cameras})
    seconds = time.perf_counter() - before
    for episode in episodes:
        episode.save()
    writer.close()
    return count * steps / seconds


def rendered_scene() -> Path:
    """Render the scene once; it is kept in ``build/``."""
    path = ROOT / "build" / "bench" / f"scene-{WIDTH}x{HEIGHT}.npy"
    if not path.is_file():
        _say(f"rendering {SCENE_FRAMES} steps of the demo task at {WIDTH}x{HEIGHT} (once)")
        command = [str(ROOT / "tests/host/python"), "-m", "bench.scene", str(path)]
        subprocess.run([*command, str(SCENE_FRAMES), str(WIDTH), str(HEIGHT)], check=True, stdout=subprocess.DEVNULL)
    return path


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="Fraction of the rounds, for a quick look.")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    scene = rendered_scene()
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    raw: dict[str, Any] = {"step": STEP}
    began = time.monotonic()
    try:
        for stage, figures in measure(scene, work, arguments.scale):
            raw[stage] = figures
            raw["minutes"] = (time.monotonic() - began) / 60
            (ROOT / "build" / "bench" / "raw.json").write_text(json.dumps(raw))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(write_report(raw, arguments.report))


if __name__ == "__main__":
    main()
