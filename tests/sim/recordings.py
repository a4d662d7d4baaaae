"""Recording from tests: the driver and a session, run to the end, and what is on disk afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from isaac_lerobot.recording import RecordingConfig, Session, SessionState, Status
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.sim.drive.driver import Driver


def run(driver: Driver, timeout: float = 300.0) -> Status:
    """Load, record and wait until the recording has finished or could not be done; return the last status."""
    recording = AutomaticRecording(driver.session)
    deadline = time.monotonic() + timeout
    while recording.advance() is None:
        driver.tick()
        assert time.monotonic() < deadline, driver.session.status
    return driver.session.status


def tick_until(driver: Driver, state: SessionState, timeout: float = 120.0) -> Status:
    """Tick until the session is in ``state``."""
    deadline = time.monotonic() + timeout
    while driver.session.state is not state:
        driver.tick()
        assert time.monotonic() < deadline, driver.session.status
    return driver.session.status


def session_for(task: str, dataset: Path, **values: Any) -> Session:
    """Return a session that records ``task`` as fast as it can."""
    return Session(RecordingConfig.from_mapping({"task": task, "dataset": dataset, "step_hz": 0, **values}))


def columns(root: Path) -> dict[str, np.ndarray]:
    """Return the dataset's columns, shape ``(frames, …)``."""
    tables = [pq.read_table(file) for file in sorted((root / "data").rglob("*.parquet"))]
    names = tables[0].column_names
    return {name: np.concatenate([np.array(table[name].to_pylist()) for table in tables]) for name in names}


def episode_table(root: Path) -> list[dict[str, Any]]:
    """Return the rows of the episode table."""
    files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def by_episode(values: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of one episode after the other."""
    for index in range(int(values["episode_index"].max()) + 1):
        chosen = values["episode_index"] == index
        yield {name: column[chosen] for name, column in values.items()}
