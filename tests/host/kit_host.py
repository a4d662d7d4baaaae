"""``KitHost``: a real Kit application in this process, with our extension enabled and hands to operate its windows.

It comes as two kinds of app: ``"user"`` is like the user's Isaac Sim (``host.isaac_sim``), ``"bare"`` is Kit's kernel
with nothing but omni.ui. Start the process with ``tests/host/python``, which sets what must stand before Python starts.
One Kit per process.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from host import isaac_sim
from host.keys import IMGUI_CONTROL, imgui_code, key_for, typed_by

ROOT = Path(__file__).resolve().parents[2]
RECORDER = "isaac.lerobot.recorder"
EXTENSION_FOLDERS = (isaac_sim.DOUBLES, ROOT / ".kit" / "exts")

AppKind = Literal["user", "bare"]
APP_VARIABLE = "KIT_HOST_APP"
"""Environment variable with the kind of app where nothing else says it; processes that a test starts inherit it."""

_LIST_TOP, _LIST_ROW = 6, 21  # of an open drop-down list: first entry's middle below the field, distance of entries


class KitHost:
    """A running Kit application.

    Args:
        extensions: Extensions to enable, by id, after ``omni.ui``.
        settings: Kit settings, by path (``"/exts/isaac.lerobot.recorder/num_demos"``).
        app: The kind of app. Default: what ``KIT_HOST_APP`` says, else the user's.
        experience: Which of Isaac Sim's and Isaac Lab's experience files the user's app starts from. Default: Isaac
            Sim's full app, and without ``ui`` Isaac Lab's headless one.
        title: Title of the application window.
        size: Its width and height [px].
        ui: Whether the app has omni.ui at all; without it is what a headless app looks like to an extension.
        home: Where Kit keeps logs and remembered settings. Default: a new folder, forgotten afterwards.
        arguments: Further command-line arguments of Kit.
    """

    def __init__(
        self,
        extensions: Sequence[str] = (RECORDER,),
        settings: Mapping[str, Any] | None = None,
        *,
        app: AppKind | None = None,
        experience: str | None = None,
        title: str = "Isaac Sim",
        size: tuple[int, int] = (1280, 800),
        ui: bool = True,
        home: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self._scratch = None if home else tempfile.TemporaryDirectory(prefix="kit-home-")
        self._home = home or Path(self._scratch.name)  # type: ignore[union-attr]
        # Dear ImGui keeps window places in the working directory; each start here places its windows itself.
        self._imgui_ini = Path.cwd() / "imgui.ini"
        self._keep_imgui_ini = self._imgui_ini.exists()
        self.kind: AppKind = app or ("bare" if os.environ.get(APP_VARIABLE) == "bare" else "user")
        self._app = _load_kit_app()

        values: dict[str, Any] = {
            "/app/python/logSysStdOutput": False,  # stdout and stderr stay what they are
            "/log/outputStreamLevel": "Warn",
            "/log/level": "Warn",
            "/crashreporter/enabled": False,
        }
        enabled = list(extensions)
        if self.kind == "user":
            isaac_sim.bootstrap()
            experience = experience or ("isaacsim.exp.full" if ui else "isaaclab.python.headless")
            command = [str(isaac_sim.write_experience(experience, self._home / "apps"))]
        else:
            _tell_isaac_lab_to_do_without_kit()
            values["/app/fastShutdown"] = False  # extensions get their on_shutdown
            command = ["--empty"]
            if ui:
                enabled.insert(0, "omni.ui")
        if ui:
            values |= {"/exts/omni.ui/title": title, "/exts/omni.ui/width": size[0], "/exts/omni.ui/height": size[1]}
        if not ui or self.kind == "bare":
            command.append("--no-window")
        values |= settings or {}
        command += ["--portable-root", str(self._home)]
        for folder in EXTENSION_FOLDERS:
            command += ["--ext-folder", str(folder)]
        command += [f"--{path}={_as_argument(value)}" for path, value in values.items()]
        for extension in enabled:
            command += ["--enable", extension]
        self._app.startup([*command, *arguments])
        for extension in enabled:
            if not self._app.extension_manager.is_extension_enabled(extension):
                raise RuntimeError(f"Kit did not start the extension {extension}; its log above says why.")
        self._quit_event = self._notice_quit()
        self.update(3)

    # -- the application ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the application goes on: nobody asked it to end, or whoever asked was held back."""
        return self._running

    def update(self, frames: int = 1) -> None:
        """Advance the application by some frames."""
        for _ in range(frames):
            self._app.update()

    def until(self, condition: Callable[[], Any], timeout: float = 60.0, what: str = "the condition") -> None:
        """Advance until ``condition()`` holds; raises :class:`TimeoutError` after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come true within {timeout:.0f} s")
            self.update()
            time.sleep(0.001)

    def wait(self, seconds: float) -> None:
        """Let the application run for some time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.update()
            time.sleep(0.001)

    def enable(self, extension: str, enabled: bool = True) -> None:
        """Enable or disable an extension while the application runs."""
        self._app.extension_manager.set_extension_enabled_immediate(extension, enabled)
        self.update(2)

    def shutdown(self) -> int:
        """End the application as its settings say and return its exit code; a fast shutdown ends this process too."""
        self._quit_event = None
        sys.stdout.flush()
        code = self._app.shutdown()
        if not self._keep_imgui_ini:
            self._imgui_ini.unlink(missing_ok=True)
        if self._scratch is not None:
            self._scratch.cleanup()
        sys.stdout.flush()
        return int(code)

    def close(self) -> int:
        """Disable the extensions and end the application, whatever its settings say; this process goes on."""
        import carb.settings

        carb.settings.get_settings().set("/app/fastShutdown", False)
        return self.shutdown()

    # -- its windows ----------------------------------------------------------------------------------------------

    def window(self, title: str) -> Any:
        """Return the window of that title."""
        import omni.ui as ui

        window = ui.Workspace.get_window(title)
        if window is None:
            raise LookupError(f"No window '{title}'. There are: {[w.title for w in ui.Workspace.get_windows()]}")
        return window

    def place(self, title: str, x: float, y: float, width: float, height: float) -> None:
        """Move a window and give it a size [px]."""
        window = self.window(title)
        window.position_x, window.position_y, window.width, window.height = x, y, width, height
        self.update(3)

    def find(self, identifier: str) -> Any:
        """Return the one visible widget of that identifier."""
        found = [widget for widget in self.widgets() if widget.identifier == identifier]
        if len(found) == 1:
            return found[0]
        known = sorted({widget.identifier for widget in self.widgets() if widget.identifier})
        raise LookupError(f"{len(found)} visible widgets have the identifier '{identifier}'. Known: {', '.join(known)}")

    def has(self, identifier: str) -> bool:
        """Return whether a widget of that identifier is visible."""
        return any(widget.identifier == identifier for widget in self.widgets())

    def widgets(self) -> Iterator[Any]:
        """Go through the visible widgets of all windows."""
        import omni.ui as ui

        for window in ui.Workspace.get_windows():
            frame = getattr(window, "frame", None)
            if window.visible and frame is not None:
                yield from _visible(frame, ui.Inspector.get_children)

    # -- hands ----------------------------------------------------------------------------------------------------

    def click(self, identifier: str, offset: tuple[float, float] = (0.5, 0.5)) -> None:
        """Scroll to a widget and click it with the left mouse button; ``offset`` is where on it, from 0 to 1."""
        widget = self.find(identifier)
        widget.scroll_here(0.5, 0.5)
        self.update(3)
        self.click_at(
            widget.screen_position_x + widget.computed_width * offset[0],
            widget.screen_position_y + widget.computed_height * offset[1],
        )

    def click_at(self, x: float, y: float) -> None:
        """Click a place of the application window [px]."""
        self._ui._inject_mouse_move(x, y)
        self.update(2)  # Dear ImGui takes a press only where it has seen the mouse hover
        self._ui._inject_mouse_button(0, True)
        self.update()
        self._ui._inject_mouse_button(0, False)
        self.update(2)

    def choose(self, identifier: str, text: str) -> None:
        """Open a drop-down list and click the entry of that text."""
        combo = self.find(identifier)
        texts = [combo.model.get_item_value_model(item).as_string for item in combo.model.get_item_children(None)]
        index = texts.index(text)
        self.click(identifier)
        self.update(2)
        top = combo.screen_position_y + combo.computed_height
        self.click_at(combo.screen_position_x + 20, top + _LIST_TOP + _LIST_ROW * index)
        chosen = combo.model.get_item_value_model().as_int
        if chosen != index:
            raise RuntimeError(f"The click on '{text}' of {identifier} chose entry {chosen}, not {index}")

    def scroll_at(self, x: float, y: float, steps: float) -> None:
        """Turn the mouse wheel over a place; negative goes down."""
        self._ui._inject_mouse_move(x, y)
        self.update(2)
        self._ui._inject_mouse_scroll(0, steps)
        self.update(2)

    def type(self, identifier: str, text: str, end: str | None = "ENTER") -> None:
        """Click into a field, replace its text by typing and press the key ``end``."""
        self.click(identifier)
        self.press("A", ctrl=True)
        self.press("BACKSPACE")
        if text:
            self._ui._inject_text_input(text)
            for character in text:
                self._tell_carbonite(key_for(character), True, character)
                self._tell_carbonite(key_for(character), False)
            self.update(2)
        if end is not None:
            self.press(end)

    def press(self, key: str, ctrl: bool = False) -> None:
        """Press and let go a key, named as ``carb.input.KeyboardInput`` names it."""
        if ctrl:
            self._ui._inject_key_event(IMGUI_CONTROL, True)
            self.hold("LEFT_CONTROL")
        self.hold(key, types=not ctrl)
        self.let_go(key)
        if ctrl:
            self._ui._inject_key_event(IMGUI_CONTROL, False)
            self.let_go("LEFT_CONTROL")
        self.update()

    def hold(self, key: str, types: bool = True) -> None:
        """Press a key down: the focused window hears of it, and who listens to the application's keyboard."""
        self._ui._inject_key_event(imgui_code(key), True)
        text = typed_by(key) if types else ""
        if text:
            self._ui._inject_text_input(text)
        self._tell_carbonite(key, True, text)
        self.update()

    def let_go(self, key: str) -> None:
        """Let go of a key."""
        self._ui._inject_key_event(imgui_code(key), False)
        self._tell_carbonite(key, False)
        self.update()

    # -- eyes -----------------------------------------------------------------------------------------------------

    def screenshot(self, path: Path | str, window: str | None = None) -> Path:
        """Write a PNG of the application, or of one of its windows alone."""
        from PIL import Image

        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._ui._schedule_screenshot(str(target)):
            raise RuntimeError(f"omni.ui did not take the request for a screenshot to {target}")
        self.update(2)
        result = self._ui._get_screenshot_result()
        if not result.get("success"):
            raise RuntimeError(f"Screenshot to {target} failed: {result.get('message')}")
        if window is not None:
            shown = self.window(window)
            left, top = int(shown.position_x), int(shown.position_y)
            with Image.open(target) as image:
                right, bottom = left + int(shown.width), top + int(shown.height)
                image.crop((left, top, min(right, image.width), min(bottom, image.height))).save(target)
        return target

    def _notice_quit(self) -> Any:
        """Watch for the end: without a run loop of its own the bare kernel never calls itself running."""
        import carb.eventdispatcher
        import omni.kit.app

        self._running = True

        def quit_asked(_event: Any) -> None:
            self._running = False

        return carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="test host", event_name=omni.kit.app.GLOBAL_EVENT_PRE_SHUTDOWN, on_event=quit_asked
        )

    def _tell_carbonite(self, key: str | None, pressed: bool, text: str = "") -> None:
        """Put a key into the keyboard of the application's window, where this kind of app has one."""
        if key is None or not self._app.extension_manager.is_extension_enabled("omni.appwindow"):
            return
        import carb.input
        import omni.appwindow

        keyboard = omni.appwindow.get_default_app_window().get_keyboard()
        provider = carb.input.acquire_input_provider()
        kind = carb.input.KeyboardEventType.KEY_PRESS if pressed else carb.input.KeyboardEventType.KEY_RELEASE
        provider.buffer_keyboard_key_event(keyboard, kind, getattr(carb.input.KeyboardInput, key), 0)
        if text:
            provider.buffer_keyboard_char_event(keyboard, text, 0)

    @property
    def _ui(self) -> Any:
        from omni.ui import _ui

        return _ui


def _load_kit_app() -> Any:
    """Return a ``KitApp`` that is not started yet."""
    from importlib.util import find_spec

    package = find_spec("isaacsim")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("isaacsim is not installed here; start through tests/host/python after `make setup`.")
    if os.environ.get("OMNI_KIT_ACCEPT_EULA", "").lower() not in ("y", "yes", "1"):
        raise RuntimeError("NVIDIA's licence was not accepted: export OMNI_KIT_ACCEPT_EULA=YES once you have read it.")
    kit = str(Path(package.submodule_search_locations[0]) / "kit")
    if kit not in sys.path:
        sys.path.insert(0, kit)
    import kit_app

    return kit_app.KitApp()


def _tell_isaac_lab_to_do_without_kit() -> None:
    """Let Isaac Lab take its way without Kit: it would want ``omni.usd``, which the bare kernel does not have."""
    import isaaclab.utils.version

    isaaclab.utils.version.has_kit = lambda: False


def _as_argument(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_as_argument(item) for item in value) + "]"
    return str(value)


def _visible(widget: Any, children: Callable[[Any], Sequence[Any]]) -> Iterator[Any]:
    if not widget.visible:
        return
    yield widget
    for child in children(widget):
        yield from _visible(child, children)
