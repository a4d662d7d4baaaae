"""Whatever Isaac Lab hands out (torch tensors, warp arrays, its proxies of both) as torch tensors."""

from __future__ import annotations

from typing import Any


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
