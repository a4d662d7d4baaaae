"""The keys of a keyboard: what Carbonite and Dear ImGui call each, and what it types."""

from __future__ import annotations

import string

_IMGUI = {
    "TAB": 512,
    "LEFT": 513,
    "RIGHT": 514,
    "UP": 515,
    "DOWN": 516,
    "DEL": 522,
    "BACKSPACE": 523,
    "SPACE": 524,
    "ENTER": 525,
    "ESCAPE": 526,
    "LEFT_CONTROL": 527,
    **{f"KEY_{digit}": 536 + index for index, digit in enumerate(string.digits)},
    **{letter: 546 + index for index, letter in enumerate(string.ascii_uppercase)},
    **{f"F{number}": 571 + number for number in range(1, 13)},
}
IMGUI_CONTROL = 1 << 12
"""What Dear ImGui wants to hear beside the key of that name."""


def imgui_code(key: str) -> int:
    """Return Dear ImGui's code of a key that is named as ``carb.input.KeyboardInput`` names it."""
    return _IMGUI[key]


def typed_by(key: str) -> str:
    """Return the text a key types; empty where it types none."""
    if key == "SPACE":
        return " "
    if key.startswith("KEY_"):
        return key.removeprefix("KEY_")
    return key.lower() if len(key) == 1 else ""


def key_for(character: str) -> str | None:
    """Return the key that types a character, shifted or not; None for the more unusual ones."""
    if character == " ":
        return "SPACE"
    if character in string.digits:
        return f"KEY_{character}"
    return character.upper() if character in string.ascii_letters else None
