"""The desk arm's geometry, and its joint angles for a gripper that points straight down.

The arm stands on the table with its base at the origin and reaches along +x. All joints at zero mean that it
points straight up. Joint names follow the SO-101, the arm that LeRobot users know best.
"""

from __future__ import annotations

import math

import torch

ARM_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
"""The arm's revolute joints from the base outwards [rad]."""

FINGER_JOINTS = ("finger_left", "finger_right")
"""The gripper's prismatic joints; each is half of the opening [m]."""

JOINT_LIMITS = {
    "shoulder_pan": (-1.9, 1.9),
    "shoulder_lift": (-1.2, 1.5),
    "elbow_flex": (0.0, 2.6),
    "wrist_flex": (-1.6, 1.9),
    "wrist_roll": (-2.7, 2.7),
}
"""Lower and upper limit of each arm joint [rad]."""

SHOULDER_HEIGHT = 0.12
"""Height of the shoulder_lift axis above the table [m]."""

UPPER_ARM = 0.20
"""Distance from the shoulder_lift axis to the elbow_flex axis [m]."""

FOREARM = 0.20
"""Distance from the elbow_flex axis to the wrist_flex axis [m]."""

HAND = 0.14
"""Distance from the wrist_flex axis to the end effector, the point between the finger tips [m]."""

MAX_OPENING = 0.07
"""Distance between the finger pads when the gripper is open [m]."""


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

    quarter = math.pi / 2.0
    roll = torch.remainder(pan - yaw + quarter / 2.0, quarter) - quarter / 2.0
    return torch.stack((pan, lift, elbow, wrist, roll), dim=-1)
