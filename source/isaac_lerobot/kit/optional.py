"""Which of Kit's optional extensions this app has."""

from __future__ import annotations

import omni.kit.app


def enabled(extension: str) -> bool:
    """Return whether an extension is running in this app, by its id without the version."""
    return bool(omni.kit.app.get_app().get_extension_manager().is_extension_enabled(extension))
