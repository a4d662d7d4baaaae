"""Closes what a test of the session has left open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recording.paper_host import PaperHost


@pytest.fixture(autouse=True)
def no_dataset_stays_open() -> Iterator[None]:
    """Complete each session's dataset; whatever is not saved would be reported when the process ends."""
    yield
    while PaperHost.made:
        host = PaperHost.made.pop()
        host.session.quit(host)
