"""``FailingDisk``: a disk that fails once, at one durable step."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from isaac_lerobot.dataset.disk import durable


class FailingDisk:
    """Makes one durable step of this process fail, within a ``with``.

    Args:
        at: Which step, from 0.
        code: The system's error.
        begin: Steps are counted from the first whose path has this in it.
        spare: Kinds of steps that do not fail.

    Attributes:
        failed: Whether it came to that step.
    """

    def __init__(self, at: int, code: int, begin: str = "", spare: tuple[str, ...] = ()) -> None:
        self.failed = False
        self._left, self._code = at, code
        self._begin, self._spare = begin, spare

    def __enter__(self) -> FailingDisk:
        durable.observers.append(self._observe)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        durable.observers.remove(self._observe)

    def _observe(self, step: str, path: Path) -> None:
        if self._begin not in str(path):
            return
        self._begin = ""
        self._left -= 1
        if self._left == -1:
            self.failed = True
            if step not in self._spare:
                raise OSError(self._code, os.strerror(self._code), str(path))
