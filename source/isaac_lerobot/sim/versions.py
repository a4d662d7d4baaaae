"""Versions of the packages that a recording depends on, to be kept with the dataset."""

from __future__ import annotations

import contextlib
import importlib.metadata

_PACKAGES = ("isaaclab", "isaacsim", "isaac-lerobot", "torch", "numpy")


def package_versions() -> dict[str, str]:
    """Return the version of each package that is installed, by its name."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
