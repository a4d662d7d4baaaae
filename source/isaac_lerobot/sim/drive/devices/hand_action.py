"""Whether a task's action is a hand's movement, as a keyboard, a SpaceMouse and a gamepad give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HAND_TERMS = (
    "DifferentialInverseKinematicsActionCfg",
    "OperationalSpaceControllerActionCfg",
    "RMPFlowActionCfg",
    "NewtonDifferentialInverseKinematicsActionCfg",
    "NewtonOperationalSpaceControllerActionCfg",
    "NewtonInverseKinematicsActionCfg",
)
"""Isaac Lab's configurations of action terms that move a body in space, by class; so do those derived from them."""


def missing_hand_movement(env_cfg: Any) -> str:
    """Return why a task's action is no relative movement of a hand; empty where it is.

    The first action term is asked, by its kind: six numbers may as well be six joints.

    Args:
        env_cfg: The task's configuration.
    """
    terms = _action_terms(env_cfg)
    if not terms:
        return "moves a hand, and this task has no actions"
    name, cfg = next(iter(terms.items()))
    if not _moves_a_hand(cfg):
        return (
            f"moves a hand, but this task's action '{name}' is something else ({type(cfg).__name__}): choose a task "
            "with relative inverse kinematics (IK-Rel), or name the device in the task's teleop_devices if it fits"
        )
    if not _is_relative(cfg):
        return f"moves a hand step by step, but this task's action '{name}' takes where the hand is to be"
    return ""


def _action_terms(env_cfg: Any) -> dict[str, Any]:
    """The configured action terms by name, in their order; as Isaac Lab's action manager reads them."""
    actions = getattr(env_cfg, "actions", None)
    items = actions if isinstance(actions, Mapping) else vars(actions) if actions is not None else {}
    return {name: cfg for name, cfg in items.items() if cfg is not None}


def _moves_a_hand(cfg: Any) -> bool:
    kinds = {base.__name__ for base in type(cfg).__mro__}
    return bool(kinds.intersection(_HAND_TERMS)) or hasattr(cfg, "body_name")


def _is_relative(cfg: Any) -> bool:
    """Whether a term takes differences from the present pose; each kind says so in a place of its own."""
    if (targets := getattr(getattr(cfg, "controller_cfg", None), "target_types", None)) is not None:
        return list(targets) == ["pose_rel"]
    if (target := getattr(cfg, "target_type", None)) is not None:
        return bool(target == "pose_rel")
    said = [cfg, getattr(cfg, "controller", None), *(getattr(cfg, "objectives", None) or ())]
    modes = [place.use_relative_mode for place in said if hasattr(place, "use_relative_mode")]
    return all(modes)
