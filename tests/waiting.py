"""``until``: waiting for what comes true in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until[T](
    condition: Callable[[], T],
    timeout: float = 60.0,
    meanwhile: Callable[[], object] = lambda: None,
    what: Callable[[], object] = lambda: "",
) -> T:
    """Do ``meanwhile`` again and again until ``condition()`` holds; return what it says then.

    Args:
        condition: What to wait for.
        timeout: For how long [s]; only a test that fails waits that long.
        meanwhile: What to do between two looks.
        what: Says how things stand, should it never come true.
    """
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain; {what()}"
        meanwhile()
        # What is waited for mostly happens in threads, which a loop without a rest would keep from running.
        time.sleep(0.005)
    return found
