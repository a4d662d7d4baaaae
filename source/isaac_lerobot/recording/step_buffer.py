"""``StepBuffer``: the last steps of all environments, on their way to their episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.errors import FeatureError

Rows = dict[str, NDArray[np.generic]]

_BYTES = 64 * 2**20
_STEPS = 64


class StepBuffer:
    """Takes one batch per step, a single copy per value for all environments together, and gives each environment
    its rows in blocks of many steps: Python's work grows with the blocks and not with environments times steps.

    The size is fixed, about 64 MiB at the most. Environments give their blocks at different steps, so that no step has
    to do it for all of them.

    Args:
        num_envs: Number of environments.
        sink: Called with an environment's id and its next rows by name, each of shape ``(steps, …)``; they are valid
            during the call only.
    """

    def __init__(self, num_envs: int, sink: Callable[[int, Rows], None]) -> None:
        self._num_envs, self._sink = num_envs, sink
        self._values: Rows = {}
        self._capacity = 1
        self._step = 0
        self._first = np.full(num_envs, -1, dtype=np.int64)
        self._next = np.zeros(num_envs, dtype=np.int64)

    def append(self, env_ids: NDArray[np.int64], values: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a step.

        Args:
            env_ids: The environments that it is to be kept of.
            values: By name, arrays of shape ``(num_envs, …)``; the same names, shapes and dtypes at every step.

        Raises:
            FeatureError: They are not those of the step before.
        """
        if not self._values:
            self._make_room(values)
        self._check(values)
        started = self._first[env_ids]
        # Rows that do not follow on those that wait belong behind them in the episode all the same.
        for env_id in env_ids[(started >= 0) & (self._next[env_ids] != self._step)]:
            self.hand_over(int(env_id))
        slot = self._step % self._capacity
        for name, value in values.items():
            self._values[name][:, slot] = value
        self._first[env_ids] = np.where(self._first[env_ids] >= 0, self._first[env_ids], self._step)
        self._step += 1
        self._next[env_ids] = self._step
        for env_id in range(-self._step % self._capacity, self._num_envs, self._capacity):
            self.hand_over(env_id)

    def hand_over(self, env_id: int) -> None:
        """Give an environment's rows that wait to the sink; none are left of it here."""
        first, end = int(self._first[env_id]), int(self._next[env_id])
        self._first[env_id] = -1
        while 0 <= first < end:
            slot = first % self._capacity
            count = min(end - first, self._capacity - slot)
            self._sink(env_id, {name: kept[env_id, slot : slot + count] for name, kept in self._values.items()})
            first += count

    def forget(self, env_id: int) -> None:
        """Throw an environment's rows that wait away."""
        self._first[env_id] = -1

    def _make_room(self, values: Mapping[str, NDArray[np.generic]]) -> None:
        step_bytes = sum(value.nbytes for value in values.values())
        self._capacity = max(1, min(_STEPS, _BYTES // max(1, step_bytes)))
        self._values = {
            name: np.empty((self._num_envs, self._capacity, *value.shape[1:]), value.dtype)
            for name, value in values.items()
        }

    def _check(self, values: Mapping[str, NDArray[np.generic]]) -> None:
        for name, kept in self._values.items():
            value = values.get(name)
            if value is None or value.dtype != kept.dtype or value.shape != (self._num_envs, *kept.shape[2:]):
                was, now = f"{kept.dtype} {(self._num_envs, *kept.shape[2:])}", "missing"
                if value is not None:
                    now = f"{value.dtype} {value.shape}"
                raise FeatureError(f"'{name}' was {was} at the first step and is {now} now.")
        if len(values) != len(self._values):
            raise FeatureError(f"{sorted(values.keys() - self._values.keys())} were not there at the first step.")
