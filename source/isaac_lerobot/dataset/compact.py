"""Compact (stub)."""

from __future__ import annotations

from pathlib import Path


def join_files(root: Path) -> None:
    """Join the files of single episodes."""
