"""A window that tells what was done to it."""

import omni.ext
import omni.ui as ui


class ProbeExtension(omni.ext.IExt):
    """Shows the probe's window."""

    def on_startup(self, ext_id: str) -> None:
        self._clicks = 0
        self._window = ui.Window("Host probe", width=320, height=160)
        with self._window.frame, ui.VStack(spacing=6):
            self._label = ui.Label("untouched", identifier="probe.label")
            ui.Button("Press", clicked_fn=self._count, identifier="probe.button", height=30)
            ui.StringField(identifier="probe.field", height=24)

    def on_shutdown(self) -> None:
        self._window.destroy()
        self._window = None

    def _count(self) -> None:
        self._clicks += 1
        self._label.text = f"clicked {self._clicks}"
