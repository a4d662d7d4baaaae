"""Recording from tests: the driver and a session, run to the end, and what is on disk afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.recording import Command, RecordingConfig, Session, SessionState, Status
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.sim.drive.driver import Driver
from waiting import until


def run(driver: Driver, timeout: float = 300.0) -> Status:
    """Load, record and wait until the recording has finished or could not be done; return the last status."""
    recording = AutomaticRecording(driver.session)
    until(lambda: recording.advance() is not None, timeout, driver.tick, lambda: driver.session.status)
    return driver.session.status


def tick_until(driver: Driver, state: SessionState, timeout: float = 120.0) -> Status:
    """Tick until the session is in ``state``."""
    until(lambda: driver.session.state is state, timeout, driver.tick, lambda: driver.session.status)
    return driver.session.status


def message_after(driver: Driver, *commands: Command, ticks: int = 2) -> Status:
    """Return the status some ticks after commands were given."""
    for command in commands:
        driver.session.post(command)
    for _ in range(ticks):
        driver.tick()
    return driver.session.status


def session_for(task: str, dataset: Path, **values: Any) -> Session:
    """Return a session that records ``task`` as fast as it can."""
    return Session(RecordingConfig.from_mapping({"task": task, "dataset": dataset, "step_hz": 0, **values}))


def by_episode(values: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of one episode after the other."""
    for index in range(int(values["episode_index"].max()) + 1):
        chosen = values["episode_index"] == index
        yield {name: column[chosen] for name, column in values.items()}
