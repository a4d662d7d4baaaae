"""``Completion``: completes the datasets of a recording in the background, so that the panel stays alive."""

from __future__ import annotations

import threading

from isaac_lerobot.recording.export import Export


class Completion:
    """Waits for the encoders, joins the files and lets go of the datasets, in a thread of its own.

    Args:
        export: What to complete.

    Attributes:
        error: Why it could not be completed, once :attr:`done`; None if it was.
    """

    def __init__(self, export: Export) -> None:
        self.error: Exception | None = None
        self._export = export
        self._thread = threading.Thread(target=self._run, name="complete dataset")
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait until it has."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._export.close()
        except Exception as error:  # noqa: BLE001 - whatever it was, the host's thread is to hear of it
            self.error = error
