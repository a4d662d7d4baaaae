"""``Player``: keeps the app from stepping physics by itself between our steps."""

from __future__ import annotations

from typing import Any

import carb.settings

_PLAY_SIMULATIONS = "/app/player/playSimulations"


class Player:
    """Holds ``/app/player/playSimulations`` false while a task is loaded.

    Isaac Lab plays the timeline, and PhysX then steps with each of the app's updates unless this is false: the scene
    would move while nothing is recorded, and between two recorded steps. Isaac Lab itself steps PhysX directly, which
    heeds no such setting; around its own updates it sets it false and afterwards true.
    """

    def __init__(self) -> None:
        self._held = False
        self._found: Any = None

    def hold(self) -> None:
        """Hold it, from now on."""
        if not self._held:
            self._held = True
            self._found = carb.settings.get_settings().get(_PLAY_SIMULATIONS)
        self.keep()

    def keep(self) -> None:
        """Set it again where a step has not left it as it is to be; does nothing unless it is held."""
        settings = carb.settings.get_settings()
        if self._held and settings.get(_PLAY_SIMULATIONS) is not False:
            settings.set(_PLAY_SIMULATIONS, False)

    def release(self) -> None:
        """Leave it as it was found."""
        if self._held:
            self._held = False
            carb.settings.get_settings().set(_PLAY_SIMULATIONS, True if self._found is None else self._found)
