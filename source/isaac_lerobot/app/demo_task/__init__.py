"""The demo task: a small desk arm picks up a cube. Importing this package registers it with gymnasium.

The import is cheap: Isaac Lab, torch and ``pxr`` are loaded when the task's configuration is asked for.
"""

import gymnasium as gym

TASK_ID = "Isaac-LeRobot-Pick-Cube-v0"
"""The id under which gymnasium knows the demo task."""

TASK_DESCRIPTION = "Pick up the red cube"
"""What the robot does, in the words a dataset's ``task`` column should hold."""

if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{__name__}.env_cfg:PickCubeEnvCfg",
            "scripted_operator_entry_point": f"{__name__}.operator:PickCubeOperator",
        },
    )
