"""The panel before a task is loaded, operated with an injected mouse and keyboard."""

from __future__ import annotations

from isaac_lerobot.recording import SessionState, Severity
from kit.panel_operator import WINDOW

TASK = "Isaac-LeRobot-Pick-Cube-v0"


def test_it_opens_and_says_what_to_do(operator):
    assert operator.text("state") == "NO TASK LOADED"
    assert operator.text("message") == "Choose a task and load it."
    for button in ("load", "close", "record", "pause", "success", "failure", "discard", "reset", "finish"):
        assert not operator.enabled(button)


def test_every_widget_a_person_uses_has_an_identifier(operator):
    import omni.ui as ui

    used = (ui.Button, ui.StringField, ui.IntField, ui.ComboBox, ui.CheckBox)
    nameless = [widget for widget in operator.kit.widgets() if isinstance(widget, used) and not widget.identifier]
    assert not nameless


def test_tasks_are_listed_searched_and_chosen(operator):
    operator.kit.click("recorder.task_search")
    operator.until(lambda status: status.tasks)
    operator.type("task_search", "LEROBOT pick-cube-v0")
    shown = [w.identifier for w in operator.kit.widgets() if w.identifier.startswith("recorder.task.")]
    assert shown == [f"recorder.task.{TASK}"]
    operator.kit.click(f"recorder.task.{TASK}")
    operator.until(lambda status: status.config.task == TASK)
    assert operator.enabled("load")
    operator.type("task_search", "nothing is called this")
    shown = [w.identifier for w in operator.kit.widgets() if w.identifier.startswith("recorder.task.")]
    assert shown == []


def test_typed_values_reach_the_configuration(operator, tmp_path):
    operator.type("num_demos", "12")
    operator.type("task_description", "Stack the cubes")
    operator.type("dataset", str(tmp_path / "data"))
    operator.press("success_by.manual")
    config = operator.status.config
    assert (config.num_demos, config.task_description, config.dataset) == (12, "Stack the cubes", tmp_path / "data")
    assert config.success == "manual"
    operator.type("dataset", "")
    assert operator.status.config.dataset is None


def test_a_wrong_value_is_refused_and_put_back(operator):
    operator.type("num_demos", "5")
    operator.type("num_demos", "-3")
    status = operator.status
    assert status.message.severity is Severity.ERROR
    assert "num_demos" in operator.text("message")
    assert status.config.num_demos == 5
    assert operator.kit.find("recorder.num_demos").model.as_int == 5


def test_an_unknown_task_leaves_a_panel_to_go_on_with(open_recorder):
    operator = open_recorder(task="Isaac-LeRobot-Pick-Cub-v0")
    operator.press("load")
    operator.kit.until(lambda: operator.status.message.severity is Severity.ERROR, 120, "the error")
    operator.look()
    assert TASK in operator.text("message")
    assert operator.status.state is SessionState.IDLE
    assert operator.enabled("load")


def test_a_wrong_setting_is_shown(open_recorder):
    operator = open_recorder(num_demo=3)
    assert operator.text("state") == "ERROR"
    assert "num_demo" in operator.text("message")


def test_values_are_remembered_from_one_start_to_the_next(open_recorder):
    open_recorder().type("task_description", "Fold the towel")
    assert open_recorder().status.config.task_description == "Fold the towel"


def test_closing_and_opening_the_extension_leaves_one_window(open_recorder):
    import omni.ui as ui

    open_recorder()
    open_recorder()
    assert [window.title for window in ui.Workspace.get_windows() if window.visible].count(WINDOW) == 1


def test_it_is_drawn(operator, tmp_path):
    from PIL import Image

    with Image.open(operator.kit.screenshot(tmp_path / "panel.png", WINDOW)) as picture:
        assert picture.size == (460, 800)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 100
