"""What the recorder relies on is in the real sources of Isaac Lab, Isaac Sim and Kit, and nothing else is used."""

from __future__ import annotations

import pytest

from contract import uses
from contract.relied_on import LIST, LITERAL, Row, rows
from contract.table import PAGE, page_with_table

_ADD = f"Add a line to tests/contract/{LIST.name}, and see that the real source has it."
_RUN_FOR_REAL = ("omni.ui",)
"""Every widget of the panel is made and drawn in the tests of the panel; there is no list of them."""


@pytest.mark.parametrize("row", rows(), ids=str)
def test_the_real_source_has_it(row: Row):
    assert not row.problem()


def test_every_name_that_is_imported_is_in_the_list():
    names = {(row.module, row.name.partition(".")[0]) for row in rows()}
    modules = {row.module for row in rows()} | {f"{row.module}.{row.name}" for row in rows()}
    modules |= {row.name for row in rows() if row.module == "extensions"}
    unknown = {
        f"{module}:{name}" if name else module: sorted(files)
        for (module, name), files in uses.imported_names().items()
        if module not in _RUN_FOR_REAL and ((module, name) not in names if name else module not in modules)
    }
    assert not unknown, _ADD


@pytest.mark.parametrize("find", [uses.private_names, uses.environment_names, uses.settings])
def test_every_private_name_environment_attribute_and_setting_is_in_the_list(find):
    known = {row.name if row.module in LITERAL else row.name.rpartition(".")[2] for row in rows()}
    unknown = {name: sorted(files) for name, files in find().items() if name not in known}
    assert not unknown, _ADD


def test_the_documentation_shows_the_list():
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_table(page), "Write it anew: tests/host/python -m contract.table"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (Row("isaaclab.envs", "ManagerBasedEnv.no_such", None, "", ""), "has no no_such"),
        (Row("isaaclab.no_such", "anything", None, "", ""), "isaaclab.no_such has no anything"),
        (Row("isaaclab.app", "launch_simulation", ("cfg", "headless"), "", ""), "not headless"),
        (Row("isaaclab.app", "launch_simulation", (), "", ""), "it needs cfg"),
        (Row("settings", "/app/fastShutdow", None, "isaacsim.exp.base.kit", ""), "does not have it"),
        (Row("omni.usd", "get_context", None, "isaaclab.no_such", ""), "no source of isaaclab.no_such"),
        (Row("omni.usd", "UsdContext.get_stages", None, "omni/usd/UsdContext.h", ""), "does not have it"),
    ],
    ids=str,
)
def test_what_the_real_source_does_not_have_is_told(row: Row, problem: str):
    assert problem in row.problem()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("isaaclab.managers", "RecorderManager.reset"),  # through a package's stub
        ("isaaclab.envs", "ManagerBasedRLEnv.obs_buf"),  # set by a base class
        ("carb.settings", "ISettings.get"),  # a stub that is imported with a star
        ("isaacsim.simulation_app", "SimulationApp.close"),  # of an extension
    ],
)
def test_a_name_is_found_where_python_would_find_it(module: str, name: str):
    assert not Row(module, name, None, "", "").problem()
