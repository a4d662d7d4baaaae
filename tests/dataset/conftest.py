from __future__ import annotations

from collections.abc import Iterator

import pytest

from lerobot_reader import LerobotReader


@pytest.fixture(scope="session")
def lerobot() -> Iterator[LerobotReader]:
    """The real lerobot, in a process of its own."""
    reader = LerobotReader()
    yield reader
    reader.close()
