"""Which teleop devices there are for a task, which of them can be used here, and how to get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isaac_lerobot.errors import DeviceError, nearest
from isaac_lerobot.recording.offer import DeviceOffer
from isaac_lerobot.sim.drive.devices import bindings
from isaac_lerobot.sim.drive.devices.hand_action import missing_hand_movement
from isaac_lerobot.sim.drive.devices.scripted import SCRIPTED, SCRIPTED_FAIL, make_operator, missing_operator
from isaac_lerobot.sim.drive.devices.se3 import SE3_DEVICES, make_se3, missing_se3
from isaac_lerobot.sim.drive.devices.source import TeleopSource
from isaac_lerobot.sim.drive.devices.task_devices import (
    HAND_TRACKING,
    ISAAC_TELEOP,
    make_isaac_teleop,
    make_task_device,
    missing_isaac_teleop,
    missing_task_device,
    task_devices,
)
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

AUTO = "auto"
ZERO = "zero"
RANDOM = "random"

_FIRST_CHOICES = (ISAAC_TELEOP, "keyboard", SCRIPTED)
"""Which device is taken where nobody has chosen one: the first of these that can be used."""

_SE3_HELP = {
    "keyboard": bindings.KEYBOARD_HELP,
    "spacemouse": bindings.SPACEMOUSE_HELP,
    "gamepad": bindings.GAMEPAD_HELP,
}


def available_devices(
    env_cfg: Any, task_id: str, *, window_comes: bool = False, xr_comes: bool = False
) -> list[DeviceOffer]:
    """Return every device that could drive the task, with whether it can be used here, and if not, why.

    The first of them, ``auto``, stands for what would be used where nobody has chosen. What a device's own width means
    for the task is only known once there is an env: see :func:`make_source`.

    Args:
        env_cfg: The task's configuration.
        task_id: The task's id in gymnasium's registry.
        window_comes: Whether Kit's window will be there once the simulation is launched.
        xr_comes: Whether a headset's session will be there then.
    """
    operator = missing_operator(task_id)
    offers = [
        _offer(SCRIPTED, "Scripted operator", operator, "Does the task by itself."),
        _offer(SCRIPTED_FAIL, "Scripted operator that fails", operator, "Tries the task and fails."),
        _offer(ZERO, "Zero actions", "", "An action of zeros at each step."),
        _offer(RANDOM, "Random actions", "", "Wanders at random within the action's limits."),
    ]
    configured = task_devices(env_cfg)
    offers += [
        _offer(name, label, missing_hand_movement(env_cfg) or missing_se3(name, window_comes), _SE3_HELP[name])
        for name, label in SE3_DEVICES.items()
        if name not in configured
    ]
    offers += [
        _offer(
            name,
            SE3_DEVICES.get(name, f"{name} (of the task)"),
            missing_task_device(name, env_cfg, window_comes, xr_comes),
            _SE3_HELP.get(name, bindings.COMMANDS_HELP),
        )
        for name in configured
    ]
    if HAND_TRACKING not in configured:
        offers.append(_offer(HAND_TRACKING, "Hand tracking", missing_isaac_teleop(env_cfg), bindings.COMMANDS_HELP))
    if getattr(env_cfg, "isaac_teleop", None) is not None:
        offers.append(_offer(ISAAC_TELEOP, "Isaac Teleop", missing_isaac_teleop(env_cfg), bindings.COMMANDS_HELP))
    return [_automatic(offers), *offers]


def make_source(name: str, env: ManagerBasedEnvironment, *, task_id: str, seed: int | None = None) -> TeleopSource:
    """Open a teleop device for an env.

    Args:
        name: A name out of :func:`available_devices`.
        env: The unwrapped env.
        task_id: The task's id in gymnasium's registry.
        seed: Seed of sources that have something random; None for a new one each time.

    Raises:
        DeviceError: There is no such device, it is not here, or it does not fit the task's action.
    """
    offers = {offer.name: offer for offer in available_devices(env.cfg, task_id)}
    if name not in offers:
        raise DeviceError(f"There is no teleop device '{name}' for {task_id}. {nearest(name, offers)}")
    if not offers[name].available:
        usable = ", ".join(offer.name for offer in offers.values() if offer.available)
        raise DeviceError(f"The teleop device '{name}' {offers[name].reason}. What can be used here: {usable}.")
    return _make(offers[name].stands_for or name, env, task_id, seed)


def _automatic(offers: Sequence[DeviceOffer]) -> DeviceOffer:
    """The offer for where nobody has chosen."""
    by_name = {offer.name: offer for offer in offers}
    known = [by_name[name] for name in _FIRST_CHOICES if name in by_name]
    for offer in known:
        if offer.available:
            return DeviceOffer(AUTO, f"Automatic: {offer.label}", help=offer.help, stands_for=offer.name)
    reasons = "; ".join(f"'{offer.name}' {offer.reason}" for offer in known)
    return _offer(AUTO, "Automatic", f"finds nothing to drive this task with here: {reasons}")


def _make(name: str, env: ManagerBasedEnvironment, task_id: str, seed: int | None) -> TeleopSource:
    if name in (SCRIPTED, SCRIPTED_FAIL):
        return make_operator(env, task_id=task_id, seed=seed, fail=name == SCRIPTED_FAIL)
    if name == ZERO:
        from isaac_lerobot.sim.drive.devices.zero import ZeroSource

        return ZeroSource(env)
    if name == RANDOM:
        from isaac_lerobot.sim.drive.devices.wander import RandomSource

        return RandomSource(env, seed)
    if name in task_devices(env.cfg):
        return make_task_device(name, env)
    if name in SE3_DEVICES:
        return make_se3(name, env)
    return make_isaac_teleop(name, env)


def _offer(name: str, label: str, reason: str, help_text: str = "") -> DeviceOffer:
    return DeviceOffer(name=name, label=label, available=not reason, reason=reason, help=help_text)
