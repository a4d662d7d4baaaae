"""The host itself: an injected mouse and keyboard reach a window of a real Kit extension, and a screenshot shows it."""

import pytest
from PIL import Image

WINDOW = "Host probe"


@pytest.fixture
def probe(kit):
    kit.enable("host.probe")
    kit.place(WINDOW, 100, 50, 320, 160)
    yield kit
    kit.enable("host.probe", enabled=False)


def test_click_reaches_the_button(probe):
    probe.click("probe.button")
    probe.click("probe.button")
    assert probe.find("probe.label").text == "clicked 2"


def test_typing_replaces_the_text_of_a_field(probe):
    probe.type("probe.field", "first")
    probe.type("probe.field", "second text")
    assert probe.find("probe.field").model.as_string == "second text"


def test_screenshot_shows_the_window_alone(probe, tmp_path):
    with Image.open(probe.screenshot(tmp_path / "probe.png", WINDOW)) as picture:
        assert picture.size == (320, 160)
        assert len(picture.convert("L").getcolors(256)) > 10  # text and frames, not one flat colour


def test_a_missing_widget_is_named_with_those_there_are(probe):
    with pytest.raises(LookupError, match=r"probe\.button"):
        probe.find("probe.nothing")
