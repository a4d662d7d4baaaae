"""Repair (stub)."""

from __future__ import annotations

from pathlib import Path

from isaac_lerobot.dataset import durable, layout


def recover(root: Path) -> list[str]:
    """Remove what an interrupted recording left behind."""
    durable.remove_tree(root / layout.STAGING)
    return []
