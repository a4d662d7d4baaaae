"""Stands for ``isaaclab.envs.ui.base_env_window``: Isaac Lab's own window beside an environment, left empty.

The real one is made of ``isaacsim.gui.components``, which wants a dozen of Kit's extensions. The one in here has the
elements that Isaac Lab's ``ManagerBasedRLEnvWindow`` fills.
"""

from __future__ import annotations

from typing import Any

import omni.ui as ui


class BaseEnvWindow:
    """A window of that name with nothing in it."""

    def __init__(self, env: Any, window_name: str = "IsaacLab") -> None:
        self.env = env
        self.ui_window = ui.Window(window_name, width=400, height=500, visible=True)
        self.ui_window_elements: dict[str, Any] = {}
        with self.ui_window.frame:
            self.ui_window_elements["main_vstack"] = ui.VStack()
            with self.ui_window_elements["main_vstack"]:
                self.ui_window_elements["debug_frame"] = ui.CollapsableFrame(title="Scene Debug Visualization")
                with self.ui_window_elements["debug_frame"]:
                    self.ui_window_elements["debug_vstack"] = ui.VStack()

    def _visualize_manager(self, title: str, class_name: str) -> None:
        pass
