"""Which key of a device asks for what.

The robot is moved with W A S D Q E, Z X T G C V, K and L on the keyboard, with the sticks, the direction pad and X on
the gamepad, and with both buttons of a SpaceMouse, as Isaac Lab has it. What is bound here stays clear of those, except
for the SpaceMouse: its right button resets, as it does in Isaac Lab's own recording script.

Kit's viewport hears the same keyboard. Of its hotkeys, W E R Q T choose a tool there and F looks at what is selected,
which changes nothing in a recording; Delete, which removes what is selected, and Space, which starts and stops the
timeline, are bound to nothing here.
"""

from __future__ import annotations

from isaac_lerobot.sim.drive.devices.source import TeleopEvent

KEYBOARD = {
    "B": TeleopEvent.START,
    "P": TeleopEvent.STOP,
    "Y": TeleopEvent.SUCCESS,
    "N": TeleopEvent.FAILURE,
    "BACKSPACE": TeleopEvent.DISCARD,
    "R": TeleopEvent.RESET,
}

SPACEMOUSE = {"R": TeleopEvent.RESET}

GAMEPAD = {
    "MENU2": TeleopEvent.START,
    "MENU1": TeleopEvent.STOP,
    "A": TeleopEvent.SUCCESS,
    "B": TeleopEvent.FAILURE,
    "Y": TeleopEvent.DISCARD,
}

COMMANDS = {"START": TeleopEvent.START, "STOP": TeleopEvent.STOP, "RESET": TeleopEvent.RESET}
"""What hand tracking and other devices send by name."""

KEYBOARD_HELP = """\
W S / A D / Q E    move along x / y / z
Z X / T G / C V    turn about x / y / z
K                  open or close the gripper
L                  stop moving
B                  begin recording, or go on
P                  pause
Y / N              success / failure
Backspace          discard the episode
R                  reset: the episode, or the scene
The keys work while no text field is being edited."""

SPACEMOUSE_HELP = """\
cap                move and turn
left button        open or close the gripper
right button       reset"""

GAMEPAD_HELP = """\
left stick         move along x / y
right stick        move along z, turn about z
direction pad      turn about x / y
X                  open or close the gripper
Menu (start)       begin recording, or go on
View (back)        pause
A / B              success / failure
Y                  discard the episode"""

COMMANDS_HELP = "Start, stop and reset on the headset or the device itself."

_BINDINGS = {"keyboard": KEYBOARD, "gamepad": GAMEPAD}
_SPOKEN = {"BACKSPACE": "Bksp", "MENU1": "View", "MENU2": "Menu"}


def key_hints(device: str) -> dict[TeleopEvent, str]:
    """Return, by what it asks for, the key of a teleop device as a person calls it; empty where keys mean nothing."""
    return {event: _SPOKEN.get(key, key) for key, event in _BINDINGS.get(device, {}).items()}
