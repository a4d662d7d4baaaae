"""``MethodHooks``: hears of calls to methods of single objects, without touching their classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class MethodHooks:
    """Callbacks that are called before methods of somebody else's objects, with the same arguments.

    A hook is an attribute of the instance, so that calls from within the object are heard as well.
    """

    def __init__(self) -> None:
        self._hooked: list[tuple[Any, str, Any, Any]] = []
        self._active = [True]

    def before(self, owner: Any, name: str, callback: Callable[..., object]) -> None:
        """Call ``callback`` before each call of ``owner.<name>``."""
        original = getattr(owner, name)
        # Held apart from self: a hook that somebody wrapped in turn cannot be removed, only silenced.
        active = self._active

        @functools.wraps(original)
        def hooked(*args: Any, **kwargs: Any) -> Any:
            if active[0]:
                callback(*args, **kwargs)
            return original(*args, **kwargs)

        before = owner.__dict__.get(name)
        owner.__dict__[name] = hooked
        self._hooked.append((owner, name, hooked, before))

    def remove(self) -> None:
        """Leave the objects as they were found, and let go of them."""
        self._active[0] = False
        self._active = [True]
        hooked, self._hooked = self._hooked, []
        for owner, name, hook, before in reversed(hooked):
            if owner.__dict__.get(name) is not hook:
                continue
            if before is None:
                del owner.__dict__[name]
            else:  # somebody else's wrapper, which we stood in front of
                owner.__dict__[name] = before


def listed(env_ids: Any, num_envs: int) -> list[int]:
    """Return environment ids as a list; Isaac Lab gives tensors, sequences, slices, and None for all."""
    if env_ids is None:
        return list(range(num_envs))
    if isinstance(env_ids, slice):
        return list(range(num_envs)[env_ids])
    # A tensor in one transfer, not one per id.
    return [int(env_id) for env_id in (env_ids.tolist() if hasattr(env_ids, "tolist") else env_ids)]
