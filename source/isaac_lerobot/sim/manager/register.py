"""``register``: makes the LeRobot file handler known to Isaac Lab under the name that its guide uses."""

from __future__ import annotations


def register() -> None:
    """Add our classes to the packages where Isaac Lab's users look for them; may be called again.

    Afterwards ``from isaaclab.utils.datasets import LeRobotDatasetFileHandler`` and
    ``from isaaclab.envs.mdp.recorders.recorders_cfg import LeRobotRecorderManagerCfg`` work. Names are added, nothing
    of Isaac Lab's is changed.

    Raises:
        ImportError: Isaac Lab is not installed.
    """
    from isaaclab.envs.mdp.recorders import recorders_cfg
    from isaaclab.utils import datasets

    from isaac_lerobot.sim.manager.cfg import LeRobotRecorderManagerCfg
    from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler

    for module, added in ((datasets, LeRobotDatasetFileHandler), (recorders_cfg, LeRobotRecorderManagerCfg)):
        setattr(module, added.__name__, added)
