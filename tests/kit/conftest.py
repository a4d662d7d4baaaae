"""One real Kit for all tests of this folder, of either kind: it can be started once per process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from host.kit_host import APP_VARIABLE, RECORDER, KitHost
from kit.panel_operator import WINDOW, Operator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--app", choices=("user", "bare"), default="user", help="kind of Kit app to run in")


def pytest_configure(config: pytest.Config) -> None:
    os.environ[APP_VARIABLE] = config.getoption("app")  # for the processes that tests start, too
    config.addinivalue_line("markers", "app(kind): runs in that kind of app only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kind = config.getoption("app")
    other = [item for item in items if any(kind != mark.args[0] for mark in item.iter_markers("app"))]
    items[:] = [item for item in items if item not in other]
    config.hook.pytest_deselected(items=other)


@pytest.fixture(scope="session")
def kit() -> Iterator[KitHost]:
    host = KitHost(extensions=["host.probe"])
    yield host
    host.close()


@pytest.fixture
def open_recorder(kit):
    """Opens the recorder anew, with the settings given, and nothing remembered."""
    import carb.settings

    from isaac_lerobot.kit import settings as recorder_settings

    settings = carb.settings.get_settings()

    def open_it(**values: object) -> Operator:
        kit.enable(RECORDER, enabled=False)
        settings.destroy_item(recorder_settings.ROOT)
        for name, value in values.items():
            settings.set(f"{recorder_settings.ROOT}/{name}", value)
        kit.enable(RECORDER)
        from isaac_lerobot.kit.app import current

        kit.until(current, 30, "the open recorder")
        kit.place(WINDOW, 0, 0, 460, 800)
        operator = Operator(kit, current().session)
        operator.look()
        return operator

    settings.destroy_item(recorder_settings.MEMORY)
    yield open_it
    kit.enable(RECORDER, enabled=False)
    settings.destroy_item(recorder_settings.ROOT)
    settings.destroy_item(recorder_settings.MEMORY)


@pytest.fixture
def operator(open_recorder) -> Operator:
    return open_recorder()
