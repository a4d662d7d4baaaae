from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lerobot_reader import LerobotReader

_MEMORY = Path("/dev/shm")
_ROOM = 4 * 2**30


def pytest_configure() -> None:
    """Record into memory where there is room: on a disk most of the time goes by waiting for it, at every commit."""
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture(scope="session", autouse=True)
def _give_memory_back(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """pytest keeps the folders of three sessions; in memory only those of failed ones."""
    yield
    folder = tmp_path_factory.getbasetemp()
    if folder.is_relative_to(_MEMORY) and not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def lerobot() -> Iterator[LerobotReader]:
    """The real lerobot, in a process of its own."""
    reader = LerobotReader()
    yield reader
    reader.close()
