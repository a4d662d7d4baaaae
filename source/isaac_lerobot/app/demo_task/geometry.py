"""The desk arm's geometry: names, limits and lengths, for whoever draws, moves or watches it.

The arm stands on the table with its base at the origin and reaches along +x. All joints at zero mean that it
points straight up. Joint names follow the SO-101, the arm that LeRobot users know best.
"""

from __future__ import annotations

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

FLANGE = 0.045
"""Distance from the wrist_flex axis to the hand's own frame, ahead of the wrist_roll joint [m]."""

MAX_OPENING = 0.07
"""Distance between the finger pads when the gripper is open [m]."""
