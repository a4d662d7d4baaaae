"""``SceneStates``: how the scene stood before, during and after an episode, as kept beside a dataset.

There are two ways to keep it. Whoever records while the simulation runs keeps the state before each step (extra
columns ``state/…``) and after the last one (arrays ``final_state/…``). Episodes that Isaac Lab has collected, and
converted HDF5 files, keep the state after each step (``states/…``) and the initial one with a leading dimension of 1.
The rows are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import Sidecar

Array = NDArray[Any]

INITIAL, AFTER, BEFORE, FINAL = "initial_state/", "states/", "state/", "final_state/"


@dataclass(frozen=True)
class SceneStates:
    """The states of one episode, by Isaac Lab's path (``"articulation/robot/joint_position"``).

    Attributes:
        initial: Before the first step; empty where nobody kept it.
        after: After each step, shape ``(length, …)``; empty where nobody kept it.
    """

    initial: dict[str, Array]
    after: dict[str, Array]

    @classmethod
    def of(cls, sidecar: Sidecar) -> SceneStates:
        """Read them from what was kept of an episode."""
        arrays, frames = sidecar.arrays, sidecar.frames
        before, final = _under(BEFORE, frames), _under(FINAL, arrays)
        if before or final:
            after = {name: np.concatenate([before[name][1:], final[name][None]]) for name in final if name in before}
            # What has no elements (the joints of an asset without any) cannot be a column.
            length = next((len(column) for column in frames.values()), 0)
            for name, value in final.items():
                if not value.size:
                    after[name] = np.empty((length, *value.shape), value.dtype)
            return cls(_under(INITIAL, arrays), after)
        initial = {name: value[0] for name, value in _under(INITIAL, arrays).items() if len(value)}
        return cls(initial, _under(AFTER, frames) | _under(AFTER, arrays))


def kept_values(sidecar: Sidecar) -> dict[str, Array]:
    """Return everything kept beside an episode by the path it has in Isaac Lab's ``EpisodeData``.

    The initial state has a leading dimension of 1, states are those after each step.
    """
    states = SceneStates.of(sidecar)
    values = {
        name: value
        for name, value in {**sidecar.arrays, **sidecar.frames}.items()
        if not name.startswith((INITIAL, AFTER, BEFORE, FINAL))
    }
    values |= {f"{INITIAL}{name}": value[None] for name, value in states.initial.items()}
    return values | {f"{AFTER}{name}": value for name, value in states.after.items()}


def _under(prefix: str, values: dict[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
