"""The range of an env's actions: what may sensibly be asked of it, by what its action terms say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

# A joint without limits has infinity, or an engine's idea of a very large number.
_UNLIMITED = 100.0


@dataclass(frozen=True)
class ActionRange:
    """Limits of an action vector, and an action at which the robot stays about where it starts.

    Attributes:
        low: Lower limits. Shape is (num_envs, action_dim).
        high: Upper limits. Shape is (num_envs, action_dim).
        rest: An action within the limits. Shape is (num_envs, action_dim).
    """

    low: torch.Tensor
    high: torch.Tensor
    rest: torch.Tensor


def action_range(env: ManagerBasedEnvironment) -> ActionRange:
    """Return the range of the env's actions, before the terms' own scale and offset.

    Absolute joint-position terms: the joints' soft limits, at rest in the joints' default positions. A term's
    clip narrows that. Any other element: -1 to 1, at rest at 0 (Isaac Lab's own convention for actions).
    """
    manager = env.action_manager
    parts = [_term_range(manager.get_term(name)) for name in manager.active_terms]
    low, high, rest = (torch.cat(column, dim=-1) for column in zip(*parts, strict=True))
    return ActionRange(low, high, torch.minimum(torch.maximum(rest, low), high))


def _term_range(term: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    from isaaclab.envs.mdp import JointPositionAction

    low = torch.full_like(term.raw_actions, -1.0)
    high = torch.full_like(term.raw_actions, 1.0)
    rest = torch.zeros_like(term.raw_actions)

    if isinstance(term, JointPositionAction):
        data = term._asset.data
        joints = data.soft_joint_pos_limits.torch[:, term._joint_ids]
        limited = (joints.abs() < _UNLIMITED).all(dim=-1)
        asked_low, asked_high = _asked(term, joints[..., 0], joints[..., 1])
        low, high = torch.where(limited, asked_low, low), torch.where(limited, asked_high, high)
        rest, _ = _asked(term, *[data.default_joint_pos.torch[:, term._joint_ids]] * 2)

    clip = getattr(term, "_clip", None)
    if isinstance(clip, torch.Tensor) and clip.shape[1] == low.shape[1]:
        clip_low, clip_high = _asked(term, clip[..., 0], clip[..., 1])
        # Where nothing but the clip is known, the clip alone is the range.
        narrows = isinstance(term, JointPositionAction)
        low = torch.maximum(low, clip_low) if narrows else torch.where(clip_low > -math.inf, clip_low, low)
        high = torch.minimum(high, clip_high) if narrows else torch.where(clip_high < math.inf, clip_high, high)
    return low, high, rest


def _asked(term: Any, low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Undo the term's scale and offset: from what is applied to what has to be asked for."""
    first, second = (low - term._offset) / term._scale, (high - term._offset) / term._scale
    return torch.minimum(first, second), torch.maximum(first, second)
