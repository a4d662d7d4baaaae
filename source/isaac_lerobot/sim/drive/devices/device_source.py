"""A device in a person's hands as a teleop source: Isaac Lab's, and those that stand in for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices import bindings
from isaac_lerobot.sim.drive.devices.keyboard import OrderKeys
from isaac_lerobot.sim.drive.devices.source import EventQueue, TeleopEvent
from isaac_lerobot.sim.drive.devices.spacemouse import SpaceMouse
from isaac_lerobot.sim.drive.devices.text_input import text_input
from isaac_lerobot.sim.drive.devices.window import gamepad_buttons, missing_keyboard
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment


class DeviceSource:
    """Repeats one device's command in every env. Where there is a keyboard too, its keys give orders beside it.

    Args:
        name: Name of the source.
        device: Has ``advance()`` and ``reset()``, and ``add_callback(key, function)`` where it has buttons of its own.
            A context manager is entered here and left in :meth:`close`; another is closed there, if it can be.
        env: The env to give actions to.
    """

    def __init__(self, name: str, device: Any, env: ManagerBasedEnvironment) -> None:
        self.name = name
        self._env = env
        self._queue = EventQueue()
        with ExitStack() as held:
            if hasattr(device, "__exit__"):
                device = held.enter_context(device)
            elif hasattr(device, "close"):
                held.callback(device.close)
            _bind(device, self._queue)
            if not missing_keyboard():
                held.callback(OrderKeys(self._queue).close)
            device.reset()
            self._held = held.pop_all()
        self._device: Any = device

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Forget what the device has added up, unless other envs are in the middle of an episode."""
        if self._device is None or _adds_up_keys(self._device):
            return  # when the keys come up, their movement is taken away from whatever it has come to
        if env_ids is None or len(env_ids) == self._env.num_envs:
            self._device.reset()

    def advance(self) -> torch.Tensor | None:
        """Return the device's command for every env, None while it gives none. Shape is (num_envs, action_dim).

        Raises:
            DeviceError: The device failed, or gives something other than one command of the task's width.
        """
        command = self._ask()
        if command is None or (text_input.active and _adds_up_keys(self._device)):
            return None
        if not isinstance(command, torch.Tensor):
            raise DeviceError(
                f"The teleop device '{self.name}' gives {type(command).__name__} data, not an action: the task has to "
                "configure it with retargeters that turn its data into one."
            )
        command = command.to(device=self._env.device, dtype=torch.float32).reshape(-1)
        check_width(self.name, len(command), self._env)
        return command.repeat(self._env.num_envs, 1)

    def pump(self) -> None:
        """Ask the device and drop its command: some hear their own buttons, and connect, only when they are asked.

        Raises:
            DeviceError: The device failed.
        """
        self._ask()

    def recording(self, runs: bool) -> None:
        """Tell a device that has a start and a stop of its own that the recording runs, or that it does not.

        A leader arm has no button to start with, and a headset's button toggles what the device believes.
        """
        switch = getattr(self._device, "request_start" if runs else "request_stop", None)
        if switch is not None:
            switch()

    def events(self) -> list[TeleopEvent]:
        """Return what was asked for with the device's keys since the last call."""
        return self._queue.drain()

    def close(self) -> None:
        """Let go of the device. Those of Isaac Lab's that cannot be closed let go when they are collected."""
        self._device = None
        self._held.close()

    def _ask(self) -> Any:
        if self._device is None:
            return None
        try:
            return self._device.advance()
        except Exception as error:  # the device's own libraries raise what they like
            raise DeviceError(f"The teleop device '{self.name}' failed: {error}. Is it still connected?") from error


def check_width(name: str, width: int, env: ManagerBasedEnvironment) -> None:
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


def _adds_up_keys(device: Any) -> bool:
    """Whether this is Isaac Lab's keyboard: it adds movement when a key goes down, and takes it away afterwards."""
    return bool(_kinds(device) & {"Se3Keyboard", "Se2Keyboard"})


def _bind(device: Any, queue: EventQueue) -> None:
    """Have the device's own buttons put events in the queue."""
    if isinstance(device, SpaceMouse) or _kinds(device) & {"Se3SpaceMouse", "Se2SpaceMouse"}:
        callbacks: dict[Any, Callable[[], None]] = _callbacks(bindings.SPACEMOUSE, queue)
    elif _kinds(device) & {"Se3Gamepad", "Se2Gamepad"}:
        callbacks = gamepad_buttons(device, _callbacks(bindings.GAMEPAD, queue))
    elif hasattr(device, "add_callback") and not _adds_up_keys(device):
        callbacks = _callbacks(bindings.COMMANDS, queue)
    else:
        return  # a keyboard: its orders are heard by themselves
    for key, callback in callbacks.items():
        device.add_callback(key, callback)


def _kinds(device: Any) -> set[str]:
    return {base.__name__ for base in type(device).__mro__}


def _callbacks(events: dict[str, TeleopEvent], queue: EventQueue) -> dict[Any, Callable[[], None]]:
    return {key: partial(queue.put, event) for key, event in events.items()}
