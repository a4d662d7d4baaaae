"""What recording adds to a step: ``python -m bench.steps session 1024`` or ``demo 16``; prints JSON."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.recording import (
    End,
    OpenTask,
    Outcome,
    Quit,
    RecordingConfig,
    Selection,
    Session,
    SessionState,
    Snapshot,
    Start,
    TaskOffer,
    TermOffer,
)

SESSION_STEPS = 300
BLOCKS, BLOCK_STEPS = 8, 40
# The states of Isaac Lab's Franka stack: a robot of nine joints and three cubes.
STATES = {"robot": (7, 6, 9, 9), "cube_1": (7, 6), "cube_2": (7, 6), "cube_3": (7, 6)}


class NumbersHost:
    """A host whose environments are arrays of random numbers: what is left is the recording's own work."""

    def __init__(self, num_envs: int) -> None:
        random = np.random.default_rng(0)

        def numbers(size: int) -> np.ndarray[Any, Any]:
            return random.random((num_envs, size), dtype=np.float32)

        self.frame = {"observation.state": numbers(20), "action": numbers(8)}
        self.states = {f"{asset}/{i}": numbers(n) for asset, sizes in STATES.items() for i, n in enumerate(sizes)}
        names = tuple(f"joint_{index}" for index in range(8))
        self.offer = TaskOffer("Numbers-v0", 30, num_envs, names, terms=(TermOffer("policy/numbers", (20,)),))

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        return [self.offer.task]

    def open(self, config: RecordingConfig) -> TaskOffer:
        return self.offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        return {}

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        return Snapshot({}, {path: value[list(env_ids)] for path, value in self.states.items()})

    def reset(self, env_ids: Sequence[int]) -> None: ...

    def close(self) -> None: ...


def session(num_envs: int, root: Path) -> dict[str, float]:
    """Measure a step of the session and its episodes without pictures: median and mean [ms]."""
    host = NumbersHost(num_envs)
    config = {"task": host.offer.task, "dataset": root, "state_keys": ["policy/numbers"], "num_envs": num_envs}
    recorded = Session(RecordingConfig.from_mapping(config))
    for command in (OpenTask(), None, Start()):
        if command is not None:
            recorded.post(command)
        recorded.carry_out_commands(host)
    seconds = []
    for step in range(SESSION_STEPS):
        began = time.perf_counter()
        recorded.carry_out_commands(host)
        recorded.record(recorded.recording, host.frame, host.states)
        # Episodes end and begin all the time: each environment's after 150 steps, and every time for some.
        ending = range(step % 150, num_envs, 150)
        if step >= 150 and ending:
            recorded.end(dict.fromkeys(ending, Outcome.SUCCESS))
        seconds.append(time.perf_counter() - began)
    recorded.post(Quit())
    while not recorded.quit_requested:
        recorded.carry_out_commands(host)
        time.sleep(0.01)
    steady = [1e3 * value for value in seconds[1:]]
    plain, ending_too = steady[:149], steady[149:]
    return {
        "median_ms": statistics.median(plain),
        "mean_ms": statistics.mean(plain),
        "mean_with_endings_ms": statistics.mean(ending_too),
        "first_ms": 1e3 * seconds[0],
    }


def demo(num_envs: int, root: Path) -> dict[str, Any]:
    """Measure a step of the demo task, recorded with both cameras and not, in turns: wall and own CPU [ms]."""
    from isaac_lerobot.sim.drive.devices import make_source
    from isaac_lerobot.sim.drive.driver import Driver

    config = {
        "task": "Isaac-LeRobot-Pick-Cube-v0",
        "teleop_device": "zero",
        "dataset": root,
        "state_keys": ["policy/joint_pos"],
        "num_envs": num_envs,
        "step_hz": 0,
        # Encoders in processes of their own, so that their CPU time can be told from ours.
        "codec": "h264:engine=program",
        "continuous": False,
        "seed": 0,
    }
    recorded = Session(RecordingConfig.from_mapping(config))
    driver = Driver(recorded)
    recorded.post(OpenTask())
    while recorded.state is not SessionState.READY:
        driver.tick()
    source = make_source("zero", driver.env, task_id=str(config["task"]))

    def plain_step() -> None:
        driver.env.step(source.advance())

    runs: dict[str, list[dict[str, float]]] = {"plain": [], "recorded": []}
    _measure(plain_step)  # warm
    for _ in range(BLOCKS):
        runs["plain"].append(_measure(plain_step))
        recorded.post(Start())
        driver.tick()
        runs["recorded"].append(_measure(driver.tick))
        recorded.post(End(Outcome.UNDECIDED))
        driver.tick()
        while recorded.status.counts.saving:
            time.sleep(0.01)
    driver.shutdown()
    return {
        kind: {figure: statistics.median(run[figure] for run in some) for figure in some[0]}
        for kind, some in runs.items()
    }


def _measure(step: Callable[[], object]) -> dict[str, float]:
    cpu, began = _cpu(), time.perf_counter()
    for _ in range(BLOCK_STEPS):
        step()
    wall = time.perf_counter() - began
    return {"wall_ms": 1e3 * wall / BLOCK_STEPS, "cpu_ms": 1e3 * (_cpu() - cpu) / BLOCK_STEPS}


def _cpu() -> float:
    """CPU time of this process with all its threads, without the encoders it has started [s]."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        measure = {"session": session, "demo": demo}[sys.argv[1]]
        print(json.dumps(measure(int(sys.argv[2]), Path(folder) / "numbers")))
