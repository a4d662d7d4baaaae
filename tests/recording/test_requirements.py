"""What pyproject.toml demands of other packages is what is tested."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bounds() -> dict[str, str]:
    """Return the lowest allowed version of each package that the product needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    demands = [*project["dependencies"], *project["optional-dependencies"]["convert"]]
    return dict(re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", demand).groups() for demand in demands)


def versions(lock: str) -> dict[str, str]:
    """Return the version of each package of a lock."""
    lines = (ROOT / "tests/host/locks" / lock).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith((" ", "#")))


def number(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def test_the_oldest_versions_that_are_allowed_are_those_that_are_tested():
    """Where this fails, pyproject.toml was changed: ``make lock``."""
    tested = versions("oldest.lock")
    assert {name: number(tested[name]) for name in bounds()} == {name: number(low) for name, low in bounds().items()}


def test_the_versions_of_isaac_sim_are_allowed():
    """numpy is pinned by Isaac Sim 6.2 itself; Isaac Lab's extras pin pyarrow 23.0.1, Kit brings pydantic 2.11."""
    theirs = {"numpy": versions("sim.lock")["numpy"], "pyarrow": "23.0.1", "pydantic": "2.11.10"}
    assert {name: number(bounds()[name]) <= number(version) for name, version in theirs.items()} == dict.fromkeys(
        theirs, True
    )
