"""A scripted operator for the demo task: really picks the cube, by waypoints, or misses it when told to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from isaaclab.utils.math import euler_xyz_from_quat, quat_apply

from isaac_lerobot.app.demo_task.env_cfg import HAND_SCALE
from isaac_lerobot.app.demo_task.geometry import MAX_OPENING
from isaac_lerobot.app.demo_task.kinematics import joint_angles_above, quarter_turn
from isaac_lerobot.app.demo_task.mdp import cube_pos, eef_pos
from isaac_lerobot.sim.drive.devices.source import TeleopEvent

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


@dataclass(frozen=True)
class _Waypoint:
    """Where the hand is to be, relative to where the cube stood, and when."""

    height: float
    """Height of the end effector above the table [m]."""
    opening: float
    """Opening of the gripper [m]."""
    duration: float
    """Time to get there from the waypoint before [s]."""


_CLOSED_ON_CUBE = 0.02
"""Half of the cube's width: the fingers press on the cube instead of arriving [m]."""

_WAYPOINTS = (
    _Waypoint(height=0.10, opening=MAX_OPENING, duration=0.7),
    _Waypoint(height=0.018, opening=MAX_OPENING, duration=0.6),
    _Waypoint(height=0.018, opening=_CLOSED_ON_CUBE, duration=0.4),
    _Waypoint(height=0.14, opening=_CLOSED_ON_CUBE, duration=0.8),
)

_MISS_DISTANCE = 0.075
"""How far beside the cube the hand closes when the operator is to fail [m]."""


class PickCubeOperator:
    """Moves each env's arm through the waypoints and then holds still, until its next episode.

    Args:
        env: The demo task.
        seed: Not used: the operator's motion follows from where the cube is.
        fail: Whether to close the gripper beside the cube instead of around it.
    """

    def __init__(self, env: ManagerBasedRLEnv, *, seed: int = 0, fail: bool = False) -> None:
        self._env = env
        self._miss = _MISS_DISTANCE if fail else 0.0
        ends = torch.tensor([waypoint.duration for waypoint in _WAYPOINTS], device=env.device).cumsum(0)
        self._ends = ends
        self._time = torch.zeros(env.num_envs, device=env.device)
        self._start = torch.zeros(env.num_envs, 3, device=env.device)
        self._cube = torch.zeros(env.num_envs, 3, device=env.device)
        self._yaw = torch.zeros(env.num_envs, device=env.device)
        self.reset()

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Look where the cube is, and begin again with the first waypoint."""
        ids = slice(None) if env_ids is None else torch.tensor(list(env_ids), dtype=torch.long, device=self._env.device)
        _, _, yaw = euler_xyz_from_quat(self._env.scene["cube"].data.root_quat_w.torch)
        self._time[ids] = 0.0
        self._start[ids] = eef_pos(self._env)[ids]
        self._cube[ids] = cube_pos(self._env)[ids]
        self._yaw[ids] = yaw[ids]

    def advance(self) -> torch.Tensor:
        """Return joint angles [rad] and gripper opening [m]. Shape is (num_envs, 6)."""
        position, opening = self._next()
        return torch.cat((joint_angles_above(position, self._yaw), opening.unsqueeze(-1)), dim=-1)

    def events(self) -> list[TeleopEvent]:
        """None: a script asks for nothing."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def _next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Go on by a step; return where the end effector is to be then [m], and the gripper's opening [m]."""
        self._time += self._env.step_dt
        return self._hand_at(self._time)

    def _hand_at(self, time: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The end effector's position [m] and the gripper's opening [m] on the way between two waypoints."""
        goals = self._cube.unsqueeze(1).repeat(1, len(_WAYPOINTS), 1)
        goals[:, :, 2] = torch.tensor([waypoint.height for waypoint in _WAYPOINTS], device=time.device)
        goals[:, :, 1] += self._miss * torch.where(self._cube[:, 1:2] > 0.0, -1.0, 1.0)
        openings = torch.tensor([MAX_OPENING, *(w.opening for w in _WAYPOINTS)], device=time.device)
        stops = torch.cat((self._start.unsqueeze(1), goals), dim=1)

        leg = torch.searchsorted(self._ends, time).clamp(max=len(_WAYPOINTS) - 1)
        begin = torch.cat((self._ends.new_zeros(1), self._ends))[leg]
        share = ((time - begin) / (self._ends[leg] - begin)).clamp(0.0, 1.0)
        share = share**2 * (3.0 - 2.0 * share)  # starts and stops gently

        env = torch.arange(len(time), device=time.device)
        position = torch.lerp(stops[env, leg], stops[env, leg + 1], share.unsqueeze(-1))
        opening = torch.lerp(openings[leg], openings[leg + 1], share)
        return position, opening


_GAIN = 0.4
"""Which share of the way that is left the hand is asked to make in a step; it lags behind what it is asked for."""


class PickCubeHandOperator(PickCubeOperator):
    """The same operator for the task that takes the hand's movements: steers the hand along the way."""

    def advance(self) -> torch.Tensor:
        """Return the hand's movement, its turn, and whether to open the gripper. Shape is (num_envs, 7)."""
        scale = torch.tensor(HAND_SCALE, device=self._env.device)
        position, opening = self._next()
        turn = torch.zeros_like(position)
        turn[:, 2] = quarter_turn(self._yaw - self._hand_yaw())
        movement = _GAIN * torch.cat((position - eef_pos(self._env), turn), dim=-1) / scale
        gripper = torch.where(opening > (_CLOSED_ON_CUBE + MAX_OPENING) / 2.0, 1.0, -1.0)
        return torch.cat((movement, gripper.unsqueeze(-1)), dim=-1)

    def _hand_yaw(self) -> torch.Tensor:
        """The direction in which the fingers close, about the vertical [rad]."""
        robot = self._env.scene["robot"]
        orientation = robot.data.body_quat_w.torch[:, robot.body_names.index("hand")]
        across = quat_apply(orientation, orientation.new_tensor((0.0, 1.0, 0.0)).expand(len(orientation), 3))
        return torch.atan2(across[:, 1], across[:, 0])
