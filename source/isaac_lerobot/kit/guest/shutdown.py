"""``Shutdown``: no recording is lost because somebody closes the app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carb
import carb.eventdispatcher
import omni.kit.app

from isaac_lerobot.recording import Discard, Finish, Pause, Resume, Session, SessionState
from isaac_lerobot.recording.commands import RUNNING

_FIRST = -1000
"""Before the extensions that would close what is still needed."""


class Shutdown:
    """Asks before the app is closed over a recording, and completes the dataset when it is closed after all.

    With ``/app/fastShutdown``, which every Isaac Sim app has on, Kit shuts no extension down: the event before that is
    the last that Python hears of.

    Args:
        session: Whose dataset is to be completed.
        complete: Completes it and waits for it, touching no environment.
        ask: Asks whoever closes the app, while an episode is running; None where there is nobody to ask.
    """

    def __init__(
        self, session: Session, complete: Callable[[], object], ask: Callable[[Shutdown], None] | None
    ) -> None:
        self.is_leaving = False
        """Whether the app is to be closed as soon as the dataset is complete."""
        self.has_come = False
        """Whether the app is closing, and nothing is to be begun any more."""
        self._session = session
        self._complete = complete
        self._ask = ask
        self._has_paused = False
        dispatcher = carb.eventdispatcher.get_eventdispatcher()
        self._subscriptions = [
            dispatcher.observe_event(
                observer_name="LeRobot Recorder asks before the app is closed",
                event_name=omni.kit.app.GLOBAL_EVENT_POST_QUIT,
                on_event=self._on_quit,
                order=_FIRST,
            ),
            dispatcher.observe_event(
                observer_name="LeRobot Recorder completes the dataset",
                event_name=omni.kit.app.GLOBAL_EVENT_PRE_SHUTDOWN,
                on_event=lambda _event: self._on_shutdown(),
                order=_FIRST,
            ),
        ]

    def close(self) -> None:
        """Listen no longer."""
        self._subscriptions.clear()

    def finish_and_leave(self) -> None:
        """Complete the dataset, a running episode kept as undecided, then close the app."""
        self.is_leaving = True
        self._has_paused = False
        if Finish in self._session.status.allowed:
            self._session.post(Finish())

    def discard_and_leave(self) -> None:
        """Throw the running episode away, complete the dataset, then close the app."""
        self._session.post(Discard())
        self.finish_and_leave()

    def stay(self) -> None:
        """Go on as before."""
        if self._has_paused:
            self._has_paused = False
            self._session.post(Resume())

    def update(self) -> None:
        """Close the app once the dataset is complete; called after each of the app's updates."""
        session = self._session
        if not self.is_leaving or session.has_commands or session.status.selection_locked:
            return
        self.is_leaving = False
        omni.kit.app.get_app().post_quit(0)

    def _on_quit(self, event: Any) -> None:
        # Who closes the app a second time means it: what is under way is then completed before it goes.
        if self._ask is None or self.is_leaving or event.payload["uncancellable"]:
            return
        if not self._session.status.selection_locked:
            return
        if not omni.kit.app.get_app().try_cancel_shutdown("LeRobot Recorder: the dataset is not complete yet"):
            return
        if self._session.state in RUNNING:
            if self._session.state is SessionState.RECORDING:
                self._has_paused = True
                self._session.post(Pause())
            self._ask(self)
        else:
            self.finish_and_leave()

    def _on_shutdown(self) -> None:
        self.has_come = True
        try:
            self._complete()
        except Exception as error:  # noqa: BLE001 - the app is going away, and only its log is left to tell
            carb.log_error(f"LeRobot Recorder, while the app was closed: {type(error).__name__}: {error}")
        if self._session.state is SessionState.ERROR:
            carb.log_error(f"LeRobot Recorder: {self._session.status.message.text}")
