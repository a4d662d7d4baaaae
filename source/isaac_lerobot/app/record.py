"""``isaac-lerobot record``: record a task without the panel."""

from __future__ import annotations

import argparse

from isaac_lerobot.app.extension_folder import presets_folder
from isaac_lerobot.app.launcher import require_isaac_lab
from isaac_lerobot.app.options import add_recording_options, recording_config


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for everything a recording can be told."""
    add_recording_options(parser)
    parser.set_defaults(run=run_record)


def run_record(args: argparse.Namespace) -> int:
    """Record until the target is reached; see :func:`.script_host.record` for the exit code."""
    config = recording_config(args, presets_folder())
    require_isaac_lab()
    from isaac_lerobot.app.script_host import record

    return record(config)
