"""What a demo holds besides actions and observations, and how it is kept beside a LeRobot dataset.

An HDF5 file has the scene after each step (``states/…``) and before the first one (``initial_state/…``). A dataset of
ours has it before each step (extra columns ``state/…``) and after the last one (arrays ``final_state/…``), so that a
frame's state belongs to its observation. The two hold the same rows, shifted by one. What has no such counterpart is
kept under its own path: ``hdf5/<path>``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from isaac_lerobot.tools.demo_blocks import Block
from isaac_lerobot.tools.demo_file import Array, Demo

STATES, INITIAL, FINAL, STATE = "states", "initial_state", "final_state", "state"
OTHER = "hdf5"
"""Before the paths of what is kept as it was."""


class DemoState:
    """Turns what else is in a demo into extra columns and arrays.

    Args:
        demo: The demo.
        kept: Paths of its columns to keep.
    """

    def __init__(self, demo: Demo, kept: Iterable[str]) -> None:
        self._before: dict[str, Array] = {}
        self._plain: list[str] = []
        self.arrays: dict[str, Array] = {}
        for path in demo.others:
            values = demo.read(path)
            group, _, name = path.partition("/")
            is_initial = group == INITIAL and values.shape[:1] == (1,)
            self.arrays[path if is_initial else f"{OTHER}/{path}"] = values[0] if is_initial else values
        for path in kept:
            group, _, name = path.partition("/")
            initial = self.arrays.get(f"{INITIAL}/{name}")
            row = demo.columns[path].shape[1:]
            if 0 in row:
                self.arrays[f"{OTHER}/{path}"] = demo.read(path)
            elif (
                group == STATES
                and initial is not None
                and (initial.shape, initial.dtype)
                == (
                    row,
                    np.dtype(demo.columns[path].dtype),
                )
            ):
                self._before[name] = initial
            else:
                self._plain.append(path)

    @property
    def paths(self) -> list[str]:
        """Paths of the columns to read."""
        return [*self._plain, *(f"{STATES}/{name}" for name in self._before)]

    def columns(self, block: Block) -> dict[str, Array]:
        """Return the extra columns that belong to the rows of a block; blocks have to come in their order."""
        columns = {f"{OTHER}/{path}": block[path] for path in self._plain}
        for name, before in self._before.items():
            after = block[f"{STATES}/{name}"]
            columns[f"{STATE}/{name}"] = np.concatenate([before[None], after[:-1]])
            # A copy: a view would keep the whole block alive.
            self._before[name] = after[-1].copy()
        return columns

    def final_arrays(self) -> dict[str, Array]:
        """Return the arrays, after the last block."""
        return self.arrays | {f"{FINAL}/{name}": value for name, value in self._before.items()}


def states_after(before: Array, final: Array) -> Array:
    """Return ``states`` as an HDF5 file has them: the rows of ``state`` from the second on, and the final one."""
    return np.concatenate([before[1:], final[None]])
