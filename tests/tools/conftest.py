"""What the tests of the tools share."""

from __future__ import annotations

from pathlib import Path

import pytest

from isaac_lerobot.app import cli


@pytest.fixture
def run(capsys):
    """``run("convert", …)`` calls the command line; returns exit code, stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call
