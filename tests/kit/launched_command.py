"""A command in a process of its own that Isaac Lab's launcher starts Kit in, with an operator who leaves in the middle.

    python launched_command.py HOME NOTES LEAVE COMMAND [WORDS …]

HOME is Kit's folder, NOTES a JSON file for what the operator has seen, LEAVE how he leaves: ``ctrl-c`` or
``close``. In ``panel`` he loads the task and starts; ``record`` does so by itself. The launcher and Isaac Sim's
``SimulationApp`` are the real ones.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from host import isaac_sim

isaac_sim.bootstrap()

from isaac_lerobot.app.cli import main  # noqa: E402 - Isaac Lab asks for `isaacsim` as it is imported
from isaac_lerobot.recording import OpenTask, Session, SessionState, Start  # noqa: E402

sessions: list[Session] = []
"""The command's session, once there is one."""

SETTINGS = ("/app/name", "/isaaclab/has_gui", "/isaaclab/visualizer/types", "/app/renderer/waitIdle")


def operate(notes: Path, leave: str, command: str) -> None:
    """See that an episode is saved and another is running, and leave."""
    until(lambda: sessions)
    session = sessions[0]
    if command == "panel":
        session.post(OpenTask())
        until(lambda: session.state in (SessionState.READY, SessionState.IDLE))
        session.post(Start())
    until(lambda: session.status.counts.saved > 0 and session.status.episode_frames > 0)
    notes.write_text(json.dumps(seen(session)), encoding="utf-8")
    if leave == "ctrl-c":  # while Isaac Lab's Kit visualizer draws, and wants the signal for itself
        until(lambda: getattr(signal.getsignal(signal.SIGINT), "__name__", "") == "defer_interrupt", pause=0.0)
        os.kill(os.getpid(), signal.SIGINT)
    elif leave == "close":
        import omni.kit.app

        omni.kit.app.get_app().post_uncancellable_quit(0)


def seen(session: Session) -> dict[str, object]:
    """Return what there is to see while a recording runs."""
    import carb.settings
    import omni.ui

    settings = carb.settings.get_settings()
    return {
        "config": session.config.model_dump(mode="json", exclude_unset=True),
        "settings": {path: settings.get(path) for path in SETTINGS},
        "windows": [window.title for window in omni.ui.Workspace.get_windows()],
    }


def until(condition: Callable[[], object], pause: float = 0.02) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            print("The operator waits no longer.", file=sys.stderr, flush=True)
            os._exit(99)
        time.sleep(pause)


def note_sessions() -> None:
    """Have each new session noted."""
    make = Session.__init__

    def make_and_note(session: Session, *args: object) -> None:
        make(session, *args)
        sessions.append(session)

    Session.__init__ = make_and_note


if __name__ == "__main__":
    home, notes, leave, command, *words = sys.argv[1:]
    note_sessions()
    threading.Thread(target=operate, args=(Path(notes), leave, command), daemon=True).start()
    sys.argv[1:] = [command, *words, *isaac_sim.launcher_arguments(Path(home))]
    sys.exit(main())
