"""What moves a recording forward inside Kit: our own driver, or a watch on the environment of somebody's script."""

from __future__ import annotations

import builtins
import sys
from contextlib import AbstractContextManager
from typing import Any, Protocol

from isaac_lerobot.recording import RecordingConfig, Session
from isaac_lerobot.sim.attach.watch import attach_when_created
from isaac_lerobot.sim.drive.driver import Driver

_ATTACH_PERIOD = 0.1
"""How often to look whether a script has made an environment [s]."""


class Engine(Protocol):
    """Called after Kit's updates."""

    def tick(self) -> float:
        """Do what is due; return how long it may be left alone [s]."""

    def close(self) -> None:
        """Complete the dataset and let go of the environment."""


class DrivingEngine:
    """Builds and steps the environment itself.

    Attributes:
        driver: Owns the environment.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.driver = Driver(session, launch=_launch_inside_kit)

    def tick(self) -> float:
        """See :class:`Engine`."""
        return self.driver.tick()

    def close(self) -> None:
        """See :class:`Engine`."""
        try:
            self._session.quit(self.driver)
        finally:
            self.driver.shutdown()


class AttachingEngine:
    """Records the environment that a script in this app makes and steps.

    Recording starts with the environment's first step where the configuration says what to record and where to;
    otherwise the panel's Record starts it.
    """

    def __init__(self, session: Session) -> None:
        self._watch = attach_when_created(session, start=_says_enough(session.config))

    def tick(self) -> float:
        """See :class:`Engine`. The script's steps do the rest."""
        self._watch.poll()
        return _ATTACH_PERIOD

    def close(self) -> None:
        """See :class:`Engine`."""
        self._watch.stop()
        if self._watch.attachment is not None:
            self._watch.attachment.detach()


def register_with_isaac_lab() -> bool:
    """Make our file handler known to Isaac Lab once somebody has imported that; return whether this has happened."""
    if "isaaclab.utils" not in sys.modules:
        return False
    from isaac_lerobot.sim.manager.register import register

    register()
    return True


def _says_enough(config: RecordingConfig) -> bool:
    return config.dataset is not None and bool(config.state_keys or config.observation_keys)


def _launch_inside_kit(env_cfg: Any) -> AbstractContextManager[Any]:
    """Prepare an environment in an app that already runs: Isaac Lab then launches nothing, and so sets nothing either.

    Not run in full Isaac Sim so far; there, ``ManagerBasedEnv`` asks for this attribute where a simulation exists.
    """
    if not hasattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL"):
        builtins.ISAAC_LAUNCHED_FROM_TERMINAL = False  # type: ignore[attr-defined]
    from isaaclab.app import launch_simulation

    launched: AbstractContextManager[Any] = launch_simulation(env_cfg, {})
    return launched
