"""The demo task's own terms: a gripper action, observations of hand and cube, and when the task is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from isaaclab.managers import ActionTerm, ActionTermCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_apply

from isaac_lerobot.app.demo_task.geometry import FINGER_JOINTS, HAND, MAX_OPENING

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv

# The wrist body's origin lies on the wrist_flex axis, and the end effector straight ahead of it.
_WRIST_TO_TIP = (0.0, 0.0, HAND)


class GripperOpeningAction(ActionTerm):  # type: ignore[misc]
    """Opens the gripper to a width [m]: one number for both fingers, clipped to what the gripper can do.

    Has the attributes that Isaac Lab's joint actions have (joint names, scale, offset, clip), so that what reads
    names and limits from those reads them here too.
    """

    cfg: GripperOpeningActionCfg

    def __init__(self, cfg: GripperOpeningActionCfg, env: ManagerBasedEnv) -> None:
        super().__init__(cfg, env)
        finger_ids, _ = self._asset.find_joints(list(FINGER_JOINTS), as_proxy=True)
        self._finger_ids = finger_ids.torch
        self._joint_names = ["gripper"]
        self._scale = 1.0
        self._offset = 0.0
        self._clip = torch.tensor([[0.0, MAX_OPENING]], device=self.device).repeat(self.num_envs, 1, 1)
        self._raw_actions = torch.zeros(self.num_envs, 1, device=self.device)
        self._processed_actions = torch.zeros_like(self._raw_actions)

    @property
    def action_dim(self) -> int:
        """One: the opening."""
        return 1

    @property
    def raw_actions(self) -> torch.Tensor:
        """The openings asked for [m]. Shape is (num_envs, 1)."""
        return self._raw_actions

    @property
    def processed_actions(self) -> torch.Tensor:
        """The openings within the gripper's range [m]. Shape is (num_envs, 1)."""
        return self._processed_actions

    def process_actions(self, actions: torch.Tensor) -> None:
        """Take the openings asked for [m]. Shape is (num_envs, 1)."""
        self._raw_actions[:] = actions
        self._processed_actions[:] = actions.clamp(0.0, MAX_OPENING)

    def apply_actions(self) -> None:
        """Send half of the opening to each finger."""
        half = (self._processed_actions / 2.0).expand(-1, len(FINGER_JOINTS)).contiguous()
        self._asset.set_joint_position_target_index(target=half, joint_ids=self._finger_ids)

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Forget the last action of these envs."""
        self._raw_actions[slice(None) if env_ids is None else env_ids] = 0.0


@configclass
class GripperOpeningActionCfg(ActionTermCfg):  # type: ignore[misc]
    """Configuration for :class:`GripperOpeningAction`."""

    class_type: type[ActionTerm] = GripperOpeningAction


def eef_pos(env: ManagerBasedEnv) -> torch.Tensor:
    """Position of the end effector, the point between the finger tips, in the env's frame [m]. Shape (N, 3)."""
    data = env.scene["robot"].data
    wrist = env.scene["robot"].body_names.index("wrist")
    offset = torch.tensor(_WRIST_TO_TIP, device=env.device).expand(env.num_envs, 3)
    tip = data.body_pos_w.torch[:, wrist] + quat_apply(data.body_quat_w.torch[:, wrist], offset)
    return _as_tensor(tip - env.scene.env_origins)


def gripper_opening(env: ManagerBasedEnv) -> torch.Tensor:
    """Distance between the finger pads [m]. Shape (N, 1)."""
    robot = env.scene["robot"]
    fingers = [robot.joint_names.index(name) for name in FINGER_JOINTS]
    return _as_tensor(robot.data.joint_pos.torch[:, fingers].sum(dim=-1, keepdim=True))


def cube_pos(env: ManagerBasedEnv) -> torch.Tensor:
    """Position of the cube's centre in the env's frame [m]. Shape (N, 3)."""
    return _as_tensor(env.scene["cube"].data.root_pos_w.torch - env.scene.env_origins)


def cube_is_held_above(env: ManagerBasedEnv, height: float, reach: float) -> torch.Tensor:
    """Whether the cube's centre is above a height over the table, and in the gripper. Shape (N,).

    Args:
        env: The environment.
        height: How far above the table top [m].
        reach: How far from the end effector the cube may be and still count as held [m].
    """
    cube = cube_pos(env)
    near = torch.linalg.vector_norm(cube - eef_pos(env), dim=-1) < reach
    return (cube[:, 2] > height) & near


def cube_is_below(env: ManagerBasedEnv, height: float) -> torch.Tensor:
    """Whether the cube's centre is below a height relative to the table top [m]. Shape (N,)."""
    return cube_pos(env)[:, 2] < height


def _as_tensor(value: Any) -> torch.Tensor:
    assert isinstance(value, torch.Tensor)
    return value
