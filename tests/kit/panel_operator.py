"""Hands and eyes of someone at the panel."""

from __future__ import annotations

from collections.abc import Callable

from host.kit_host import KitHost
from isaac_lerobot.recording import Session, SessionState, Severity, Status

WINDOW = "LeRobot Recorder"


class Operator:
    """Someone at the panel: presses, types, and sees what the session says."""

    def __init__(self, kit: KitHost, session: Session) -> None:
        self.kit = kit
        self.session = session

    @property
    def status(self) -> Status:
        return self.session.status

    def until(self, condition: Callable[[Status], object], timeout: float = 120.0) -> Status:
        """Wait; an error that was not waited for ends it at once."""

        def met() -> object:
            status = self.status
            if condition(status):
                return True
            assert status.message.severity is not Severity.ERROR, status.message.text
            return False

        self.kit.until(met, timeout, what=f"the expected status (now {self.status.state}, {self.status.message.text})")
        self.look()
        return self.status

    def until_state(self, state: SessionState, timeout: float = 120.0) -> Status:
        return self.until(lambda status: status.state is state, timeout)

    def press(self, button: str) -> None:
        widget = self.kit.find(f"recorder.{button}")
        assert widget.enabled, f"{button} cannot be pressed: {self.status}"
        self.kit.click(f"recorder.{button}")
        self.look()

    def type(self, field: str, text: str) -> None:
        self.kit.type(f"recorder.{field}", text)
        self.look()

    def choose(self, field: str, text: str) -> None:
        self.kit.choose(f"recorder.{field}", text)
        self.look()  # what is said about the choice moves what stands below it

    def text(self, label: str) -> str:
        return self.kit.find(f"recorder.{label}").text

    def enabled(self, button: str) -> bool:
        return self.kit.find(f"recorder.{button}").enabled

    def look(self) -> None:
        """Let what was asked be done and drawn: more than a redraw period."""
        from isaac_lerobot.kit.panel.panel import REFRESH_PERIOD

        self.kit.wait(1.5 * REFRESH_PERIOD)
