"""An Isaac Lab device as a teleop source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices import bindings
from isaac_lerobot.sim.drive.devices.source import EventQueue, TeleopEvent
from isaac_lerobot.sim.drive.devices.window import gamepad_buttons

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv


class DeviceSource:
    """Repeats one device's command in every env.

    Args:
        name: Name of the source.
        device: Isaac Lab's device: ``advance()``, ``reset()`` and ``add_callback(key, function)``. Where it is a
            context manager, it is entered here and left in :meth:`close`.
        env: The env to give actions to.
    """

    def __init__(self, name: str, device: Any, env: ManagerBasedEnv) -> None:
        self.name = name
        self._env = env
        self._queue = EventQueue()
        self._held = ExitStack()
        if hasattr(device, "__exit__"):
            device = self._held.enter_context(device)
        self._device: Any = device
        self.help = _bind(device, self._queue)
        device.reset()

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Forget what the device has added up, unless other envs are in the middle of an episode."""
        if self._device is not None and (env_ids is None or len(env_ids) == self._env.num_envs):
            self._device.reset()

    def advance(self) -> torch.Tensor | None:
        """Return the device's command for every env, None while it gives none. Shape is (num_envs, action_dim).

        Raises:
            DeviceError: The device failed, or gives something other than one command of the task's width.
        """
        if self._device is None:
            return None
        try:
            command = self._device.advance()
        except Exception as error:  # the device's own libraries raise what they like
            raise DeviceError(f"The teleop device '{self.name}' failed: {error}. Is it still connected?") from error
        if command is None:
            return None
        if not isinstance(command, torch.Tensor):
            raise DeviceError(
                f"The teleop device '{self.name}' gives {type(command).__name__} data, not an action: the task has to "
                "configure it with retargeters that turn its data into one."
            )
        command = command.to(device=self._env.device, dtype=torch.float32).reshape(-1)
        check_width(self.name, len(command), self._env)
        return command.repeat(self._env.num_envs, 1)

    def events(self) -> list[TeleopEvent]:
        """Return what was asked for with the device's keys since the last call."""
        return self._queue.drain()

    def close(self) -> None:
        """Let go of the device: Isaac Lab's devices unsubscribe when they are collected."""
        self._device = None
        self._held.close()


def check_width(name: str, width: int, env: ManagerBasedEnv) -> None:
    """Check that a device's command is as wide as the task's action.

    Raises:
        DeviceError: It is not; the message names both widths and the task's action terms.
    """
    manager = env.action_manager
    if width == manager.total_action_dim:
        return
    terms = ", ".join(
        f"{term} ({dim})" for term, dim in zip(manager.active_terms, manager.action_term_dim, strict=True)
    )
    raise DeviceError(
        f"The teleop device '{name}' gives {width} numbers per step, but the task takes {manager.total_action_dim}: "
        f"{terms}. Choose a task whose actions are hand movements (relative inverse kinematics), or another device."
    )


def _bind(device: Any, queue: EventQueue) -> str:
    """Have the device's keys put events in the queue; return the key table."""
    kinds = {base.__name__ for base in type(device).__mro__}
    if kinds & {"Se3Keyboard", "Se2Keyboard"}:
        return _add(device, _callbacks(bindings.KEYBOARD, queue), bindings.KEYBOARD_HELP)
    if kinds & {"Se3SpaceMouse", "Se2SpaceMouse"}:
        return _add(device, _callbacks(bindings.SPACEMOUSE, queue), bindings.SPACEMOUSE_HELP)
    if kinds & {"Se3Gamepad", "Se2Gamepad"}:
        buttons = gamepad_buttons(device, _callbacks(bindings.GAMEPAD, queue))
        return _add(device, buttons, bindings.GAMEPAD_HELP)
    return _add(device, _callbacks(bindings.COMMANDS, queue), bindings.COMMANDS_HELP)


def _callbacks(events: dict[str, TeleopEvent], queue: EventQueue) -> dict[str, Callable[[], None]]:
    return {key: partial(queue.put, event) for key, event in events.items()}


def _add(device: Any, callbacks: dict[Any, Callable[[], None]], help_text: str) -> str:
    for key, callback in callbacks.items():
        device.add_callback(key, callback)
    return help_text
