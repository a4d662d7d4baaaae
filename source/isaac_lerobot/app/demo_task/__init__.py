"""The demo task: a small desk arm picks up a cube. Importing this package registers it with gymnasium, in two variants.

One takes joint angles, as a leader arm or a policy gives them; the other a hand's movements, as a keyboard gives them.
The import is cheap: Isaac Lab, torch and ``pxr`` are loaded when the task's configuration is asked for.
"""

import gymnasium as gym

TASK_ID = "Isaac-LeRobot-Pick-Cube-v0"
"""The id under which gymnasium knows the demo task, with joint angles as actions."""

HAND_TASK_ID = "Isaac-LeRobot-Pick-Cube-IK-Rel-v0"
"""The id of the same task with movements of the hand as actions."""

TASK_DESCRIPTION = "Pick up the red cube"
"""What the robot does, in the words a dataset's ``task`` column should hold."""

_VARIANTS = {
    TASK_ID: ("PickCubeEnvCfg", "PickCubeOperator"),
    HAND_TASK_ID: ("PickCubeIKRelEnvCfg", "PickCubeHandOperator"),
}

for _task_id, (_cfg, _operator) in _VARIANTS.items():
    if _task_id not in gym.registry:
        gym.register(
            id=_task_id,
            entry_point="isaaclab.envs:ManagerBasedRLEnv",
            disable_env_checker=True,
            kwargs={
                "env_cfg_entry_point": f"{__name__}.env_cfg:{_cfg}",
                "scripted_operator_entry_point": f"{__name__}.operator:{_operator}",
            },
        )
