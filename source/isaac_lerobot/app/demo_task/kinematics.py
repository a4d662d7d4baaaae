"""Joint angles of the desk arm for a gripper that points straight down."""

from __future__ import annotations

import math

import torch

from isaac_lerobot.app.demo_task.geometry import FOREARM, HAND, SHOULDER_HEIGHT, UPPER_ARM


def joint_angles_above(position: torch.Tensor, yaw: torch.Tensor) -> torch.Tensor:
    """Return the joint angles that put the end effector at a position with the gripper pointing down.

    Points out of reach are answered with the arm stretched towards them.

    Args:
        position: End-effector position in the arm's base frame [m]. Shape is (N, 3).
        yaw: Direction in which the fingers close, about the vertical [rad]; taken modulo a quarter turn, which
            a cube cannot tell apart. Shape is (N,).

    Returns:
        Angles of :data:`ARM_JOINTS` [rad]. Shape is (N, 5).
    """
    x, y, z = position.unbind(dim=-1)
    pan = torch.atan2(y, x)
    radius = torch.hypot(x, y)
    height = z + HAND - SHOULDER_HEIGHT

    # Two links in the vertical plane, elbow up; see any robotics textbook ("planar 2R arm").
    cos_elbow = (radius**2 + height**2 - UPPER_ARM**2 - FOREARM**2) / (2.0 * UPPER_ARM * FOREARM)
    elbow = torch.acos(cos_elbow.clamp(-1.0, 1.0))
    lift = torch.atan2(radius, height) - torch.atan2(FOREARM * torch.sin(elbow), UPPER_ARM + FOREARM * torch.cos(elbow))
    wrist = math.pi - lift - elbow

    return torch.stack((pan, lift, elbow, wrist, quarter_turn(pan - yaw)), dim=-1)


def quarter_turn(angle: torch.Tensor) -> torch.Tensor:
    """Return the smallest angle that differs from the given one by quarter turns [rad]; a cube looks the same."""
    quarter = math.pi / 2.0
    return torch.remainder(angle + quarter / 2.0, quarter) - quarter / 2.0
