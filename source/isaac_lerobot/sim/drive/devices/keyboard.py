"""The keyboard: keys that move a hand, and keys that an operator gives orders with.

Isaac Lab's own ``Se3Keyboard`` adds a key's movement when it goes down and takes it away when it comes up, so that a
reset in between leaves the robot moving by itself; it needs Kit's app window; and it hears what somebody types into a
text field. This one takes the same keys for the same numbers, and remembers which keys are held.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from isaac_lerobot.sim.drive.devices.bindings import KEYBOARD
from isaac_lerobot.sim.drive.devices.source import EventQueue
from isaac_lerobot.sim.drive.devices.text_input import text_input
from isaac_lerobot.sim.drive.devices.window import listen_to_keys

_MOVES = {"W": (0, 1), "S": (0, -1), "A": (1, 1), "D": (1, -1), "Q": (2, 1), "E": (2, -1)}
_TURNS = {"Z": (0, 1), "X": (0, -1), "T": (1, 1), "G": (1, -1), "C": (2, 1), "V": (2, -1)}
_GRIPPER, _STOP = "K", "L"


class HandKeyboard:
    """Gives a hand's movement per step while keys are held.

    A key that was down at a reset counts again once it was let go and pressed anew: an episode begins at rest.

    Args:
        gripper: Whether the gripper's state is the last of the numbers.
        pos_sensitivity: How far a key moves the hand per step [m], before the task's own scale.
        rot_sensitivity: How far a key turns it [rad], before the task's own scale.
    """

    def __init__(self, gripper: bool, pos_sensitivity: float, rot_sensitivity: float) -> None:
        self._gripper = gripper
        self._pos_sensitivity = pos_sensitivity
        self._rot_sensitivity = rot_sensitivity
        self._held: set[str] = set()
        self._closed = False
        self._stop_listening = listen_to_keys(self._on_key)

    def reset(self) -> None:
        """Stand still with an open gripper, whatever keys are held."""
        self._held.clear()
        self._closed = False

    def advance(self) -> torch.Tensor | None:
        """Return movement [m], turn as a rotation vector [rad] and +1 (open) or -1; None while somebody types.

        Shape is (7,), or (6,) without a gripper.
        """
        if text_input.active:
            self._held.clear()
            return None
        from scipy.spatial.transform import Rotation

        turn = Rotation.from_euler("XYZ", self._rot_sensitivity * _sum(self._held, _TURNS)).as_rotvec()
        gripper = [-1.0 if self._closed else 1.0] if self._gripper else []
        command = np.concatenate([self._pos_sensitivity * _sum(self._held, _MOVES), turn, gripper])
        return torch.from_numpy(command.astype(np.float32))

    def close(self) -> None:
        """Listen no more."""
        self._stop_listening()

    def _on_key(self, key: str, down: bool) -> None:
        if not down:
            self._held.discard(key)
        elif text_input.active:
            return
        elif key == _GRIPPER:
            self._closed = not self._closed
        elif key == _STOP:
            self.reset()
        elif key in _MOVES or key in _TURNS:
            self._held.add(key)


class OrderKeys:
    """Puts what an operator asks for with the keyboard into a queue, whichever device the robot is driven with.

    Args:
        queue: The queue.
    """

    def __init__(self, queue: EventQueue) -> None:
        self._queue = queue
        self._stop_listening = listen_to_keys(self._on_key)

    def close(self) -> None:
        """Listen no more."""
        self._stop_listening()

    def _on_key(self, key: str, down: bool) -> None:
        if down and key in KEYBOARD and not text_input.active:
            self._queue.put(KEYBOARD[key])


def _sum(keys: set[str], directions: dict[str, tuple[int, int]]) -> NDArray[np.float64]:
    total = np.zeros(3)
    for key in keys & directions.keys():
        axis, sign = directions[key]
        total[axis] += sign
    return total
