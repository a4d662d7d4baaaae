"""torch tensors as frames: CPU tensors with the real torch, CUDA tensors with a stand-in that delays the copies."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from dataset.recordings import FEATURES, check_read, frame
from isaac_lerobot.dataset import DatasetWriter, read_sidecar
from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg
from isaac_lerobot.errors import FeatureError
from lerobot_reader import PYTHON


def test_cpu_tensors(tmp_path, lerobot):
    root = tmp_path / "set"
    source = Path(__file__).parents[2] / "source"
    script = f"""
import sys
sys.path[:0] = {[str(source), str(Path(__file__).parents[1])]!r}
import torch
from dataset.recordings import *
from isaac_lerobot.errors import FeatureError
with DatasetWriter.create({str(root)!r}, 30, FEATURES) as writer:
    episode = writer.begin_episode("do it")
    tensors = {{name: torch.from_numpy(value) for name, value in frame(0, 0).items()}}
    tensors["action"].requires_grad_()
    for number in range(5):
        with torch.no_grad():
            for name, value in frame(0, number).items():
                tensors[name].copy_(torch.from_numpy(value))
        episode.add_frame(tensors, {{"state": torch.full((2, 2), float(number))}})
    try:
        episode.add_frame(tensors | {{"action": torch.zeros(2, dtype=torch.bfloat16)}})
        sys.exit("bfloat16 was accepted")
    except FeatureError as error:
        assert "bfloat16" in str(error), error
    episode.save()
"""
    done = subprocess.run(
        [str(PYTHON), "-c", script],
        env={"IMAGEIO_FFMPEG_EXE": find_ffmpeg(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    check_read(lerobot.read(root), [(0, 5)])
    assert read_sidecar(root, 0).frames["state"].shape == (5, 2, 2)


class PaperDevice:
    def __init__(self, kind: str):
        self.type = kind


class PaperTensor:
    """Stands in for ``torch.Tensor``; copies that do not block arrive only when their event is waited for."""

    def __init__(self, array: np.ndarray, device: str):
        self.array, self.device = array, PaperDevice(device)
        self.dtype, self.shape = array.dtype, array.shape

    def detach(self) -> PaperTensor:
        return self

    def cpu(self) -> PaperTensor:
        return self

    def numpy(self) -> np.ndarray:
        if self.device.type == "cuda":
            raise TypeError("a CUDA tensor")
        return self.array

    def copy_(self, other: PaperTensor, non_blocking: bool) -> None:
        assert non_blocking
        value = other.array.copy()
        PaperEvent.under_way.append(lambda: self.array.__setitem__(..., value))


class PaperEvent:
    under_way: list = []  # noqa: RUF012 - one stream for all
    done = 0

    def record(self, stream: object) -> None:
        self.copies, PaperEvent.under_way = PaperEvent.under_way, []

    def query(self) -> bool:
        return False

    def synchronize(self) -> None:
        for copy in self.copies:
            copy()
        self.copies = []


@pytest.fixture
def paper_torch(monkeypatch):
    made = []

    def empty(shape, dtype, pin_memory):
        assert pin_memory
        made.append(shape)
        return PaperTensor(np.full(shape, 77, dtype), "cpu")

    cuda = types.SimpleNamespace(Event=PaperEvent, current_stream=lambda device: device)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(Tensor=PaperTensor, cuda=cuda, empty=empty))
    return made


def test_cuda_tensors_arrive_later_and_in_order(tmp_path, lerobot, paper_torch):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        episode = writer.begin_episode("do it")
        reused = np.zeros(2, np.float32)
        for number in range(40):
            values = frame(0, number)
            reused[:] = values["action"]
            device = "cpu" if number % 5 == 4 else "cuda"
            tensors = {name: PaperTensor(value, device) for name, value in values.items()} | {"action": reused}
            episode.add_frame(tensors, {"state": PaperTensor(np.array([number]), device)})
            assert len(episode) == number + 1
        with pytest.raises(FeatureError, match="float64"):
            episode.add_frame(tensors | {"action": PaperTensor(np.zeros(2), "cuda")})
        episode.save()
    check_read(lerobot.read(root), [(0, 40)])
    np.testing.assert_array_equal(read_sidecar(root, 0).frames["state"][:, 0], np.arange(40))
    # Pinned memory is slow to make: the same few buffers serve all frames.
    assert len(paper_torch) < 25
