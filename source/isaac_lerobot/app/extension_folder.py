"""``isaac-lerobot extension-folder``: where the Kit extension is, in an installed wheel or in a checkout."""

from __future__ import annotations

import argparse
from pathlib import Path

from isaac_lerobot.errors import IsaacLeRobotError

EXTENSION_ID = "isaac.lerobot.recorder"


def add_extension_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: none."""
    parser.set_defaults(run=run_extension_folder)


def run_extension_folder(args: argparse.Namespace) -> int:
    """Print the folder that holds the extension's folder."""
    print(extension_folder().parent)
    return 0


def extension_folder() -> Path:
    """Return the extension's folder, whose name is the extension's id.

    Raises:
        IsaacLeRobotError: This is a checkout in which the folder of links was not made yet.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    for folder in (package / "exts" / EXTENSION_ID, checkout / ".kit" / "exts" / EXTENSION_ID):
        if (folder / "extension.toml").is_file():
            return folder
    raise IsaacLeRobotError(
        f"No folder called {EXTENSION_ID} was found (Kit takes an extension's id from its folder's name). "
        f"In a checkout, tests/host/setup makes it under .kit/exts."
    )


def presets_folder() -> Path | None:
    """Return the folder of the presets that come with the extension, if it is there."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "exts" / EXTENSION_ID / "config", package.parents[1] / "config"):
        if folder.is_dir():
            return folder
    return None
