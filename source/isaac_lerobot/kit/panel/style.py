"""Colours, sizes and styles of the panel."""

from __future__ import annotations

from typing import Any

from omni.ui import color as cl

from isaac_lerobot.kit.panel.view import Tone
from isaac_lerobot.recording import Severity

ROW = 26
BUTTON = 34
BIG_BUTTON = 46
GAP = 6
LABEL = 100

TEXT = cl("#e6edf3")
FAINT = cl("#9aa4af")
SURFACE = cl("#1b1f24")
RAISED = cl("#2a3038")
FIELD = cl("#14171b")
GOOD = cl("#56d364")
BAD = cl("#ffa657")

TONES: dict[Tone, Any] = {
    Tone.NEUTRAL: cl("#3d444d"),
    Tone.BUSY: cl("#1f5fa8"),
    Tone.READY: cl("#1f7a43"),
    Tone.RECORDING: cl("#c4231c"),
    Tone.PAUSED: cl("#9a6700"),
    Tone.DONE: cl("#136f7a"),
    Tone.ERROR: cl("#8e2a6b"),
}

MESSAGES: dict[Severity, Any] = {
    Severity.INFO: cl("#c9d1d9"),
    Severity.WARNING: cl("#f2c14e"),
    Severity.ERROR: cl("#ff9b8f"),
}


def button(color: str, hovered: str) -> dict[str, Any]:
    """Return the style of a button of that colour; grey and flat when it cannot be pressed."""
    return {
        "Button": {"background_color": cl(color), "border_radius": 5, "margin": 0, "padding": 4},
        "Button:hovered": {"background_color": cl(hovered)},
        "Button:disabled": {"background_color": cl("#262b31")},
        "Button.Label": {"color": cl("#ffffff"), "font_size": 16},
        "Button.Label:disabled": {"color": cl("#6a737d")},
    }


RECORD = button("#c4231c", "#de3a33")
SUCCESS = button("#1f8a4a", "#28a85b")
FAILURE = button("#b0530a", "#cc6614")
PLAIN = button("#3d4651", "#4d5864")
PRIMARY = button("#1f5fa8", "#2b73c4")
SELECTED = button("#2b73c4", "#2b73c4")

PANEL: dict[str, Any] = {
    "Label": {"color": TEXT, "font_size": 15},
    "Label::faint": {"color": FAINT, "font_size": 14},
    "Label::name": {"color": FAINT, "font_size": 15},
    "Label::state": {"color": cl("#ffffff"), "font_size": 30},
    "Label::headline": {"color": cl("#ffffff"), "font_size": 18},
    "Label::detail": {"color": cl("#f0f3f6"), "font_size": 15},
    "Label::count": {"color": cl("#ffffff"), "font_size": 24},
    "Label::caption": {"color": FAINT, "font_size": 13},
    "Label::section": {"color": cl("#ffffff"), "font_size": 16},
    "Label::hint": {"color": cl("#f2c14e"), "font_size": 14},
    "Field": {
        "background_color": FIELD,
        "color": TEXT,
        "border_radius": 4,
        "border_width": 1,
        "border_color": cl("#3d444d"),
        "font_size": 15,
        "padding": 5,
    },
    "Field:disabled": {"color": FAINT, "background_color": SURFACE},
    "ComboBox": {
        "background_color": FIELD,
        "secondary_color": RAISED,
        "color": TEXT,
        "border_radius": 4,
        "font_size": 15,
        "padding": 3,
    },
    "ComboBox:disabled": {"color": FAINT, "background_color": SURFACE},
    "CheckBox": {"background_color": cl("#d0d7de"), "color": cl("#14171b"), "border_radius": 3, "font_size": 12},
    "CheckBox:disabled": {"background_color": cl("#59626c"), "color": cl("#1b1f24")},
    "Rectangle::surface": {"background_color": SURFACE},
    "Rectangle::raised": {"background_color": RAISED, "border_radius": 5},
    "Rectangle::row": {"background_color": cl("#00000000"), "border_radius": 3},
    "Rectangle::row:hovered": {"background_color": cl("#323a44")},
    "Rectangle::chosen": {"background_color": cl("#1f5fa8"), "border_radius": 3},
    "Rectangle::well": {"background_color": FIELD, "border_radius": 4},
    "Rectangle::trough": {"background_color": FIELD, "border_radius": 5},
    "Rectangle::bar": {"background_color": cl("#2b73c4"), "border_radius": 5},
    "Rectangle::message": {"background_color": FIELD, "border_radius": 3},
    "CollapsableFrame": {"background_color": RAISED, "secondary_color": RAISED, "border_radius": 5, "padding": 2},
    "CollapsableFrame:hovered": {"secondary_color": cl("#333b45")},
    "ScrollingFrame": {"background_color": cl("#00000000")},
    "Triangle": {"background_color": FAINT},
}
