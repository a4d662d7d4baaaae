"""Datasets that the real lerobot wrote, made once and kept in pytest's cache, and what it reads from others."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_LEROBOT = _HERE.parents[1] / ".venv-lerobot" / "bin" / "python"


def run_lerobot(script: str, *arguments: object) -> str:
    """Run a script of this folder by the interpreter that has the real lerobot; returns what it printed."""
    if not _LEROBOT.exists():
        pytest.fail("There is no .venv-lerobot, the environment of the real lerobot: run 'make setup'.")
    command = [str(_LEROBOT), str(_HERE / script), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    # The encoders' own chatter follows the traceback, so its last lines would not show it.
    reason = result.stderr[max(0, result.stderr.rfind("Traceback")) :][:6000]
    assert result.returncode == 0, f"exit code {result.returncode}: {reason}"
    return result.stdout


@pytest.fixture(scope="session")
def lerobot_datasets(request: pytest.FixtureRequest) -> Path:
    """A folder with the datasets of ``reference_lerobot.py``. Not to be changed."""
    version = next((_LEROBOT.parents[1] / "lib").glob("*/site-packages/lerobot-*.dist-info"), Path("none")).name
    script = (_HERE / "reference_lerobot.py").read_bytes()
    key = hashlib.sha256(script + version.encode()).hexdigest()[:16]
    folder = request.config.cache.mkdir("lerobot-datasets") / key
    if not folder.exists():
        unfinished = folder.with_name(f"{key}.{os.getpid()}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        run_lerobot("reference_lerobot.py", unfinished)
        try:
            unfinished.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(unfinished)
    return folder


def read_with_lerobot(roots: list[Path], cache: Path) -> list[dict]:
    """What the real lerobot says of each dataset: its ``error``, or ``length`` and a ``digest`` of all items."""
    listing = cache / "roots.json"
    listing.write_text(json.dumps([str(root) for root in roots]))
    return json.loads(run_lerobot("reference_reading.py", listing, cache).splitlines()[-1])
