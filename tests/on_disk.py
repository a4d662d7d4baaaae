"""What is in a dataset's files, read without a line of the product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq


def frame_table(root: Path) -> list[dict[str, Any]]:
    """Return the rows of the data files, one per frame."""
    return _rows(root / "data")


def episode_table(root: Path) -> list[dict[str, Any]]:
    """Return the rows of the episode table."""
    return _rows(root / "meta" / "episodes")


def columns(root: Path) -> dict[str, np.ndarray]:
    """Return the columns of the data files, each of shape ``(frames, …)``."""
    rows = frame_table(root)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def counted_episodes(root: Path) -> int:
    """Return how many episodes the dataset has; 0 before there is one."""
    info = root / "meta" / "info.json"
    return json.loads(info.read_text())["total_episodes"] if info.is_file() else 0


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]
