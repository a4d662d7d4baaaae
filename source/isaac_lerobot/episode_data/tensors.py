"""Whatever Isaac Lab hands out (torch tensors, warp arrays, its proxies of both), and trees of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_torch(value: Any) -> Any:
    """Return ``value`` as a ``torch.Tensor`` that shares its memory.

    Isaac Lab 3.0 hands out ``torch.Tensor``, ``warp.array`` and proxies that have a ``torch`` attribute.
    """
    proxied = getattr(value, "torch", None)
    if proxied is not None and not callable(proxied):
        return proxied
    if type(value).__module__.partition(".")[0] == "warp":
        import warp

        return warp.to_torch(value)
    return value


def as_numpy(value: Any) -> NDArray[Any]:
    """Return a tensor of any kind and device as a numpy array."""
    if isinstance(value, np.ndarray):
        return value
    array: NDArray[Any] = to_torch(value).detach().cpu().numpy()
    return array


def three_channels(pictures: Any) -> Any:
    """Make pictures RGB: repeat a single channel, leave the alpha channel out.

    Args:
        pictures: numpy array or ``torch.Tensor`` of shape ``(…, H, W, 1, 3 or 4)``.

    Returns:
        A view of the same kind, shape ``(…, H, W, 3)``.
    """
    if pictures.shape[-1] != 1:
        return pictures[..., :3]
    shape = (*pictures.shape[:-1], 3)
    return np.broadcast_to(pictures, shape) if isinstance(pictures, np.ndarray) else pictures.expand(shape)


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of a tree by their path, ``"states/articulation/robot/joint_position"``."""
    values: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            values.update({f"{name}/{path}": leaf for path, leaf in flat(value).items()})
        else:
            values[name] = value
    return values


def nested(state: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what :func:`flat` does."""
    tree: dict[str, Any] = {}
    for path, value in state.items():
        *parents, leaf = path.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree
