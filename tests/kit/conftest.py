"""One real Kit for all tests of this folder: it can be started once per process."""

import pytest

from host.kit_host import RECORDER, KitHost


@pytest.fixture(scope="session")
def kit():
    host = KitHost(extensions=[RECORDER, "host.probe"])
    yield host
    host.shutdown()
