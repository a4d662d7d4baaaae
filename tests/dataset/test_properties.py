"""Whatever is recorded, the real lerobot reads back value by value."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset.recordings import picture
from isaac_lerobot.dataset import DatasetWriter, read_sidecar, recover_dataset

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool", "string")


@dataclass(frozen=True)
class Take:
    """An episode to record: frames, whether it is kept, and whether a neighbour is recorded at the same time."""

    length: int
    kept: bool
    interleaved: bool
    task: str
    success: bool | None


@dataclass(frozen=True)
class Plan:
    """A whole recording: features, sessions of takes, frame rate."""

    features: dict[str, Any]
    sessions: list[list[Take]]
    fps: int


@st.composite
def plans(draw) -> Plan:
    features: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 3))):
        dtype = draw(st.sampled_from(DTYPES))
        shape = (1,) if dtype == "string" else draw(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple))
        features[f"value{number}"] = {"dtype": dtype, "shape": shape}
    for number in range(draw(st.integers(0, 2))):
        size = draw(st.tuples(st.integers(16, 40), st.integers(16, 40)))
        features[f"observation.images.c{number}"] = {"dtype": "video", "shape": (*size, 3)}
    take = st.builds(
        Take,
        length=st.one_of(st.just(1), st.integers(1, 12), st.just(300)),
        kept=st.booleans(),
        interleaved=st.booleans(),
        task=st.sampled_from(["lift", "drop", "größer"]),
        success=st.sampled_from([True, False, None]),
    )
    sessions = draw(st.lists(st.lists(take, min_size=1, max_size=3), min_size=1, max_size=2))
    sessions[0][0] = Take(draw(st.integers(1, 4)), True, False, "lift", True)
    return Plan(features, sessions, draw(st.sampled_from([1, 7, 24, 30, 60, 100])))


def value(feature: dict[str, Any], name: str, episode: int, number: int) -> Any:
    """A value that no other frame of the recording has, as far as its dtype allows."""
    if feature["dtype"] == "string":
        return f"{name} {episode} {number} ü"
    if feature["dtype"] == "video":
        return picture(episode, number, *feature["shape"][:2])
    seed = hash((name, episode, number)) % 2**32
    random = np.random.default_rng(seed)
    dtype = np.dtype(feature["dtype"])
    if dtype.kind == "f":
        return random.normal(size=feature["shape"]).astype(dtype)
    if dtype.kind == "b":
        return random.random(feature["shape"]) < 0.5
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, feature["shape"], dtype=dtype, endpoint=True)


def frame(plan: Plan, episode: int, number: int) -> dict[str, Any]:
    return {name: value(feature, name, episode, number) for name, feature in plan.features.items()}


def carry_out(plan: Plan, root: Path) -> list[tuple[int, Take]]:
    """Record; return the number and take of each kept episode, in order."""
    saved: list[tuple[int, Take]] = []
    number = 0
    for session, takes in enumerate(plan.sessions):
        opened = DatasetWriter.append(root, features=plan.features) if session else None
        with opened or DatasetWriter.create(root, plan.fps, plan.features) as writer:
            waiting: list[tuple[int, Take, Any]] = []
            for take in takes:
                waiting.append((number, take, writer.begin_episode(take.task)))
                number += 1
                if not take.interleaved:
                    saved += finish_all(plan, waiting)
            saved += finish_all(plan, waiting)
    return saved


def finish_all(plan: Plan, waiting: list[tuple[int, Take, Any]]) -> list[tuple[int, Take]]:
    """Record the waiting episodes at the same time, save or discard them."""
    for step in range(max((take.length for _, take, _ in waiting), default=0)):
        for number, take, episode in waiting:
            if step < take.length:
                episode.add_frame(frame(plan, number, step), {"step": step})
    saved = []
    for number, take, episode in waiting:
        if take.kept:
            episode.save(success=take.success)
            saved.append((number, take))
        else:
            episode.discard()
    waiting.clear()
    return saved


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_every_recording_reads_back_as_given(plan, lerobot, tmp_path_factory):
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        root = Path(folder, "set")
        saved = carry_out(plan, root)
        assert recover_dataset(root, dry_run=True) == []
        total = sum(take.length for _, take in saved)
        # Pictures are decoded one at a time: of long recordings a sample is enough.
        picked = sorted({*range(min(total, 25)), *range(max(0, total - 10), total), *range(0, total, 41)})
        read = lerobot.read(root, frames=picked)
        assert read.fps == plan.fps
        assert read.lengths == [take.length for _, take in saved]
        assert [row["success"] for row in read.episodes] == [take.success for _, take in saved]
        where = [(index, step) for index, (_, take) in enumerate(saved) for step in range(take.length)]
        for row, frame_number in enumerate(picked):
            index, step = where[frame_number]
            number, take = saved[index]
            check_row(read.columns, row, plan, number, step)
            assert read.columns["task"][row] == take.task
            assert read.columns["episode_index"][row] == index
            assert read.columns["frame_index"][row] == step
            assert read.columns["timestamp"][row] == np.float32(step / plan.fps)
        for index, (_, take) in enumerate(saved):
            np.testing.assert_array_equal(read_sidecar(root, index).frames["step"], np.arange(take.length))


def check_row(columns: dict[str, Any], row: int, plan: Plan, number: int, step: int) -> None:
    for name, feature in plan.features.items():
        got, want = columns[name][row], value(feature, name, number, step)
        if feature["dtype"] == "string":
            assert got == want
        elif feature["dtype"] == "video":
            assert np.abs(got.astype(int) - want.astype(int)).mean() < 14
        else:
            want = want.reshape(()) if feature["shape"] == (1,) else want
            # lerobot gives every float as float32.
            np.testing.assert_array_equal(got, want.astype(np.float32) if want.dtype.kind == "f" else want)
