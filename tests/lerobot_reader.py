"""Read datasets with the real lerobot, which lives in an environment of its own (``.venv-lerobot``).

In the tests: ``LerobotReader().read(root)`` returns everything ``LeRobotDataset`` gives. One process serves a whole
test session, because importing lerobot takes seconds. Run as a script, this file is that process: it reads one JSON
request per line and answers with one line; arrays travel in an ``.npz`` file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = REPOSITORY / ".venv-lerobot" / "bin" / "python"


class LerobotError(AssertionError):
    """The real lerobot could not read a dataset."""


@dataclass(frozen=True)
class LerobotDataset:
    """What the real lerobot read.

    Attributes:
        episodes: Rows of the episode table, without statistics.
        columns: Every key of the items, arrays or lists of str with one row per frame; pictures uint8 (n, H, W, 3).
        statistics: ``stats.json`` as lerobot sees it.
        fps: Frames per second.
    """

    episodes: list[dict[str, Any]]
    columns: dict[str, Any]
    statistics: dict[str, dict[str, Any]]
    fps: int

    @property
    def lengths(self) -> list[int]:
        return [episode["length"] for episode in self.episodes]

    def rows(self, index: int) -> dict[str, Any]:
        """The columns of one episode."""
        row = self.episodes[index]
        part = slice(row["dataset_from_index"], row["dataset_to_index"])
        return {name: column[part] for name, column in self.columns.items()}


class LerobotReader:
    """A process that reads datasets with the real lerobot."""

    def __init__(self):
        if not PYTHON.is_file():
            raise RuntimeError(f"{PYTHON} is missing: the tests read datasets with the real lerobot. Run `make test`.")
        self._folder = tempfile.TemporaryDirectory(prefix="lerobot_reader_")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [str(PYTHON), str(Path(__file__).resolve()), self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )

    def read(self, root: Path, frames: list[int] | None = None) -> LerobotDataset:
        """Load a dataset and read all its items (or those named)."""
        answer = self._ask({"root": str(root), "frames": frames})
        with np.load(Path(self._folder.name, "columns.npz")) as archive:
            columns: dict[str, Any] = dict(archive)
        return LerobotDataset(answer["episodes"], columns | answer["texts"], answer["statistics"], answer["fps"])

    def write(self, root: Path, fps: int, features: dict[str, Any], episodes: list[list[dict[str, Any]]]) -> None:
        """Write a dataset with the real lerobot; frames hold lists or arrays, the task is "theirs"."""
        frames = [
            [{name: np.asarray(value).tolist() for name, value in one.items()} for one in many] for many in episodes
        ]
        self._ask({"root": str(root), "fps": fps, "features": features, "episodes": frames})

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._errors.close()
        self._folder.cleanup()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError("The lerobot reader died:\n" + self._errors.read()[-3000:])
        answer = json.loads(line)
        if "error" in answer:
            raise LerobotError(answer["error"])
        return answer


def serve(folder: Path) -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # An arrow cache that outlives a request would hide changes of files.
    caches = tempfile.TemporaryDirectory(dir=folder)
    os.environ["HF_DATASETS_CACHE"] = caches.name
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    import datasets
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "episodes" in request:
                _write(LeRobotDataset, request)
                answers.write("{}\n")
                answers.flush()
                continue
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                datasets.config.HF_DATASETS_CACHE = Path(cache)
                answer = _read(LeRobotDataset("test/test", root=request["root"]), request["frames"], folder)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:1500]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _write(kind: Any, request: dict[str, Any]) -> None:
    features = request["features"]
    dataset = kind.create("test/test", request["fps"], features, root=request["root"], robot_type="theirs")
    for frames in request["episodes"]:
        for values in frames:
            arrays = {
                name: np.asarray(value, "uint8" if features[name]["dtype"] == "video" else features[name]["dtype"])
                for name, value in values.items()
            }
            dataset.add_frame(arrays | {"task": "theirs"})
        dataset.save_episode()
    dataset.finalize()


def _read(dataset: Any, frames: list[int] | None, folder: Path) -> dict[str, Any]:
    import torch

    items = [dataset[index] for index in (range(len(dataset)) if frames is None else frames)]
    assert frames is not None or len(items) == dataset.meta.total_frames
    columns, texts = {}, {}
    for name in items[0]:
        values = [item[name] for item in items]
        if isinstance(values[0], str):
            texts[name] = values
        elif name in dataset.meta.camera_keys:
            stacked = torch.stack(values).permute(0, 2, 3, 1)
            columns[name] = (stacked * 255).round().to(torch.uint8).numpy()
        else:
            columns[name] = torch.stack(values).numpy()
    np.savez(folder / "columns.npz", **columns)
    table = dataset.meta.episodes.with_format(None)
    statistics = {
        name: {key: np.asarray(value).tolist() for key, value in one.items()}
        for name, one in (dataset.meta.stats or {}).items()
    }
    episodes = [table[index] for index in range(dataset.num_episodes)]
    return {"episodes": episodes, "texts": texts, "statistics": statistics, "fps": dataset.fps}


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
