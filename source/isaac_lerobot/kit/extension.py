"""The entry point that Kit calls."""

from __future__ import annotations

import omni.ext


class RecorderExtension(omni.ext.IExt):
    """LeRobot Recorder as a Kit extension."""
