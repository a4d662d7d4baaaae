"""From raw figures to ``docs/benchmarks.md``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_NAMES = {
    "memcpy": "memcpy of the frames (lower limit)",
    "ours": "**isaac-lerobot** (default)",
    "ours:av1": "isaac-lerobot, codec av1 (lerobot's settings)",
    "ffmpeg": "bare ffmpeg, our options",
    "lerobot:default": "lerobot 0.6.1, default",
    "lerobot:threads": "lerobot 0.6.1, image_writer_threads=4",
    "lerobot:stream": "lerobot 0.6.1, streaming_encoding",
    "lerobot:stream-h264": "lerobot 0.6.1, streaming, our h264 options",
    "hdf5": "Isaac Lab 3.0 HDF5",
}


@dataclass(frozen=True)
class Goal:
    """A figure that is to be at most (or at least) so much."""

    text: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def write_report(raw: dict[str, Any], path: Path) -> str:
    """Write the report and return it."""
    parts = [
        _head(raw),
        _goal_table(_goals(raw)),
        _busy_table(raw),
        _flat_table(raw),
        _steps_table(raw),
        _isaac_table(raw),
    ]
    text = "\n".join(line for part in parts for line in [*part, ""])
    path.write_text(text, encoding="utf-8")
    return text


def _goals(raw: dict[str, Any]) -> list[Goal]:
    busy, flat = raw["busy"], raw["flat"]
    ours_stream = busy["ours"], busy["lerobot:stream-h264"]
    cpu = {name: _median(flat[name], lambda run: run["cpu"]) for name in flat}
    wall = {name: _median(flat[name], lambda run: run["wall"]) for name in flat}
    quality = raw["quality"]
    memory = raw["memory"]
    return [
        Goal("`add_frame` median / memcpy of the same frames", _add(busy["ours"], 50) / _add(busy["memcpy"], 50), 3),
        Goal("`add_frame` median [ms]", 1e3 * _add(busy["ours"], 50), 2),
        Goal("`add_frame` p99 / step", _add(busy["ours"], 99) / raw["step"], 0.25),
        Goal("CPU per frame / bare ffmpeg, same options", cpu["ours"] / cpu["ffmpeg"], 1.0),
        Goal("CPU per frame / lerobot streaming, same h264 options", cpu["ours"] / cpu["lerobot:stream-h264"], 0.4),
        Goal("CPU per frame, default / lerobot streaming default", cpu["ours"] / cpu["lerobot:stream"], 0.15),
        Goal("flat-out wall / lerobot streaming, same options", wall["ours"] / wall["lerobot:stream-h264"], 0.4),
        Goal("flat-out wall, default / lerobot streaming default", wall["ours"] / wall["lerobot:stream"], 0.25),
        Goal(
            "last frame → committed / lerobot streaming, same options",
            _stop(ours_stream[0]) / _stop(ours_stream[1]),
            0.25,
        ),
        Goal("last frame → committed / Isaac Lab HDF5", _stop(busy["ours"]) / _stop(busy["hdf5"]), 0.01),
        Goal("peak memory at 1200 frames / at 300", memory["1200"] / memory["300"], 1.05),
        Goal(
            "bytes / lerobot default",
            quality["ours"]["bytes_per_frame"] / quality["lerobot:stream"]["bytes_per_frame"],
            0.85,
        ),
        Goal(
            "PSNR-Y minus lerobot default [dB]",
            quality["ours"]["psnr_y"] - quality["lerobot:stream"]["psnr_y"],
            0,
            True,
        ),
        Goal(
            "random-access decode time / lerobot default", raw["decode"]["ours"] / raw["decode"]["lerobot:stream"], 0.5
        ),
        Goal("joining 41 episodes / lerobot's cumulative joining", raw["join"]["ours"] / raw["join"]["theirs"], 0.1),
        Goal(
            "16 environments x 2 cameras of 128x128: frames/s / 1 environment",
            raw["many"]["16"] / raw["many"]["1"],
            8,
            True,
        ),
        *_stream_goals(raw["streams"]),
        Goal("Python's share of a step, 64 environments, no pictures [ms]", raw["session"]["64"]["median_ms"], 0.3),
        Goal("Python's share of a step, 1,024 environments, no pictures [ms]", raw["session"]["1024"]["median_ms"], 3),
        *(
            Goal(f"own CPU of a step of the demo task, {count} env(s): recorded / not", _own_cpu(raw, count), 1.03)
            for count in ("1", "16")
        ),
    ]


def _stream_goals(streams: dict[str, Any]) -> list[Goal]:
    """Goals for many environments with two cameras, flat out."""
    goals = []
    for name, text in (("64x128", "64 x 2 of 128x128"), ("256x64", "256 x 2 of 64x64")):
        runs = streams[name]
        wall = {kind: _median(some, lambda run: run["wall"]) for kind, some in runs.items() if kind != "saving"}
        goals.append(Goal(f"{text}: env-frames/s / bare in-process x264", wall["bare"] / wall["ours"], 0.75, True))
    long, saved = streams["256x64"]["ours"], streams["256x64"]["saving"]
    figures = {key: _median(long, lambda run, key=key: run[key]) for key in ("tasks", "peak", "first")}
    return [
        *goals,
        Goal("256 x 2 of 64x64: processes and threads", figures["tasks"], (os.cpu_count() or 1) + 10),
        Goal("256 x 2 of 64x64: memory of the process tree [GB]", figures["peak"] / 1e9, 1),
        Goal("256 x 2 of 64x64: first step [s]", figures["first"], 0.3),
        Goal("256 x 2 of 64x64: last step → all saved, 40 frames [s]", _median(saved, lambda run: run["saved"]), 0.5),
    ]


def _goal_table(goals: list[Goal]) -> list[str]:
    rows = ["| figure (ratio, same run) | measured | goal | |", "| --- | --- | --- | --- |"]
    for goal in goals:
        sign = "≥" if goal.at_least else "≤"
        rows.append(
            f"| {goal.text} | {goal.value:.3g} | {sign} {goal.limit:g} | {'met' if goal.met else '**not met**'} |"
        )
    return rows


def _busy_table(raw: dict[str, Any]) -> list[str]:
    rows = [
        "## Beside a busy 20 ms step",
        "",
        "`stretch`: how much longer the step took than beside memcpy; `stop`: from the last frame to closed files.",
        "",
        "| recorder | episodes | add median | p99 | max | stretch | wall | stop | peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    alone = _median(raw["busy"]["memcpy"], lambda run: run["load"])
    for name, runs in raw["busy"].items():
        adds = [1e3 * add for run in runs for add in run["adds"]]
        rows.append(
            f"| {_NAMES[name]} | {len(runs)} x 300 | {statistics.median(adds):.2f} ms | {_percentile(adds, 99):.1f} ms "
            f"| {max(adds):.0f} ms | {_median(runs, lambda run: run['load']) / alone:.2f} "
            f"| {_median(runs, lambda run: run['wall']):.1f} s | {1e3 * _stop(runs):.0f} ms "
            f"| {_median(runs, lambda run: run['peak']) / 2**20:.0f} MiB |"
        )
    return rows


def _flat_table(raw: dict[str, Any]) -> list[str]:
    rows = [
        "## Flat out, 300 frames of two cameras",
        "",
        "| recorder | frames/s | CPU per frame and camera | wall |",
        "| --- | --- | --- | --- |",
    ]
    for name, runs in raw["flat"].items():
        wall, cpu = _median(runs, lambda run: run["wall"]), _median(runs, lambda run: run["cpu"])
        rows.append(f"| {_NAMES[name]} | {300 / wall:.0f} | {1e3 * cpu / 600:.2f} ms | {wall:.2f} s |")
    quality, memory, join, many = raw["quality"], raw["memory"], raw["join"], raw["many"]
    rows += ["", "| | isaac-lerobot | lerobot default |", "| --- | --- | --- |"]
    sides = [quality["ours"], quality["lerobot:stream"]]
    rows.append(
        "| bytes per picture | " + " | ".join(f"{side['bytes_per_frame'] / 1e3:.1f} kB" for side in sides) + " |"
    )
    rows.append("| PSNR of the luma | " + " | ".join(f"{side['psnr_y']:.1f} dB" for side in sides) + " |")
    decode = [raw["decode"]["ours"], raw["decode"]["lerobot:stream"]]
    rows.append("| reading one random frame | " + " | ".join(f"{1e3 * value:.1f} ms" for value in decode) + " |")
    rows.append(f"| joining 41 episodes of two cameras | {join['ours']:.2f} s | {join['theirs']:.2f} s |")
    rows.append(
        f"| peak memory, 300 and 1200 frames | {memory['300'] / 2**20:.0f} and {memory['1200'] / 2**20:.0f} MiB | |"
    )
    rows.append(
        f"| frames/s of 1 and of 16 environments (128x128, busy step) | {many['1']:.0f} and {many['16']:.0f} | |"
    )
    return rows


def _steps_table(raw: dict[str, Any]) -> list[str]:
    rows = [
        "## What recording adds to a step",
        "",
        "Session and episodes alone, no pictures: 20 state and 8 action values, states of a robot and three cubes.",
        "",
        "| environments | median | mean | mean while episodes end | first step |",
        "| --- | --- | --- | --- | --- |",
    ]
    for count, figures in raw["session"].items():
        cells = [f"{figures[key]:.2f} ms" for key in ("median_ms", "mean_ms", "mean_with_endings_ms", "first_ms")]
        rows.append(f"| {count} | {' | '.join(cells)} |")
    rows += [
        "",
        "The demo task with both cameras, in turns. Own CPU: the process with all its threads, while the encoders are "
        "processes of their own (`engine=program`).",
        "",
        "| environments | steps/s, not recorded | recorded | own CPU per step, not recorded | recorded |",
        "| --- | --- | --- | --- | --- |",
    ]
    for count, runs in raw["demo"].items():
        plain, recorded = runs["plain"], runs["recorded"]
        rows.append(
            f"| {count} | {1e3 / plain['wall_ms']:.1f} | {1e3 / recorded['wall_ms']:.1f} | {plain['cpu_ms']:.1f} ms "
            f"| {recorded['cpu_ms']:.1f} ms |"
        )
    return rows


def _own_cpu(raw: dict[str, Any], count: str) -> float:
    runs = raw["demo"][count]
    return float(runs["recorded"]["cpu_ms"] / runs["plain"]["cpu_ms"])


def _isaac_table(raw: dict[str, Any]) -> list[str]:
    kinds = {"stream": "`LeRobotRecorderManagerCfg`", "stock": "`ActionStateRecorderManagerCfg`, HDF5"}
    rows = [
        "## In Isaac Lab: an episode of 2,000 steps with two cameras",
        "",
        "Memory of the process since step 100 (demo task, cameras of 160x120; encoder processes not counted).",
        "",
        "| recorder manager | step 500 | step 1,000 | step 2,000 | peak, with the export |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, name in kinds.items():
        cells = [f"{raw['isaac'][kind][key]:+.1f} MiB" for key in ("500", "1000", "2000", "peak")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _head(raw: dict[str, Any]) -> list[str]:
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "pyarrow", "imageio-ffmpeg", "isaaclab")}
    theirs = _ROOT / ".venv-lerobot" / "bin" / "python"
    code = "import json,importlib.metadata as m;print(json.dumps({n:m.version(n) for n in ('lerobot','av')}))"
    versions |= json.loads(subprocess.check_output([str(theirs), "-c", code], text=True))
    return [
        "# Benchmarks",
        "",
        f"Written by `make bench` in {raw['minutes']:.0f} minutes. Two 640x480 cameras (renders of the demo task), 14 "
        "state and 7 action values, 50 fps, episodes of 300 frames, one episode with each recorder in turn; medians.",
        "",
        f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}. Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _add(runs: list[dict[str, Any]], percent: float) -> float:
    return _percentile([add for run in runs for add in run["adds"]], percent)


def _stop(runs: list[dict[str, Any]]) -> float:
    return _median(runs, lambda run: run["stop"])


def _median(runs: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> float:
    return statistics.median(value(run) for run in runs)


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]
