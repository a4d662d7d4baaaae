"""A double of Kit's ``omni.usd``: the app's USD context, with a real USD stage in it.

Follows the public reference of omni.usd 1.13 (``UsdContext``, ``StageEventType``, "omni.usd Event Reference") and what
NVIDIA's own extensions do with it: the context keeps its stage in USD's stage cache, takes it out again as it closes it
and complains when somebody else has; a stage closes with ``closing``, ``closed`` before another one opens with
``opening``, ``opened``; every edit makes it one with pending edits. Nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import carb
import carb.eventdispatcher
import omni.ext
from pxr import Tf, Usd, UsdUtils

_context: UsdContext | None = None


class StageEventType(Enum):
    """Events of a stage, of those the real one has."""

    OPENING = "opening"
    OPENED = "opened"
    CLOSING = "closing"
    CLOSED = "closed"


def get_context(name: str = "") -> UsdContext | None:
    """Return the app's USD context."""
    return _context


class UsdContext:
    """Holds the stage that viewport, menus and everybody else see."""

    def __init__(self) -> None:
        self._stage: Usd.Stage | None = None
        self._url = ""
        self._pending_edit = False
        self._listener: Any = None
        self.complaints: list[str] = []
        """What the real one would have written to the log as errors."""

    # ---- the stage ---------------------------------------------------------------------------------------------

    def get_stage(self) -> Usd.Stage | None:
        return self._stage

    def get_stage_id(self) -> int:
        return UsdUtils.StageCache.Get().GetId(self._stage).ToLongInt() if self._stage else 0

    def get_stage_url(self) -> str:
        return self._url

    def is_new_stage(self) -> bool:
        return self._stage is not None and not self._url

    def has_pending_edit(self) -> bool:
        return self._pending_edit

    def set_pending_edit(self, edit: bool) -> None:
        self._pending_edit = edit

    def can_open_stage(self) -> bool:
        return True

    def can_close_stage(self) -> bool:
        return self._stage is not None

    def new_stage(self) -> bool:
        return self._open(Usd.Stage.CreateInMemory, "")

    def open_stage(self, url: str) -> bool:
        return self._open(lambda: Usd.Stage.Open(url), url)

    def attach_stage_with_callback(
        self, stage_id: int, on_finish_fn: Callable[[bool, str], None] | None = None
    ) -> bool:
        stage = UsdUtils.StageCache.Get().Find(UsdUtils.StageCache.Id.FromLongInt(stage_id))
        opened = self._open(lambda: stage, "")
        if on_finish_fn is not None:
            on_finish_fn(opened, "")
        return opened

    def close_stage(self, on_finish_fn: Callable[[bool, str], None] | None = None) -> bool:
        if self._stage is None:
            return False
        self._dispatch(StageEventType.CLOSING)
        stage, self._stage, self._listener = self._stage, None, None
        if not UsdUtils.StageCache.Get().Erase(stage):
            self.complaints.append("Removal of UsdStage from cache failed")
            carb.log_error(self.complaints[-1])
        self._url, self._pending_edit = "", False
        self._dispatch(StageEventType.CLOSED)
        return True

    # ---- what goes on ------------------------------------------------------------------------------------------

    def stage_event_name(self, event_type: StageEventType) -> str:
        return f"omni.usd::stage:{event_type.value}"

    def get_stage_streaming_status(self) -> bool:
        return False

    def get_stage_loading_status(self) -> tuple[str, int, int]:
        return "", 0, 0

    def get_attached_hydra_engine_names(self) -> list[str]:
        return []

    def _open(self, make: Callable[[], Usd.Stage], url: str) -> bool:
        self.close_stage()
        self._dispatch(StageEventType.OPENING)
        self._stage, self._url, self._pending_edit = make(), url, False
        UsdUtils.StageCache.Get().Insert(self._stage)
        self._listener = Tf.Notice.Register(Usd.Notice.ObjectsChanged, self._edited, self._stage)
        self._dispatch(StageEventType.OPENED)
        return True

    def _edited(self, notice: Usd.Notice.ObjectsChanged, stage: Usd.Stage) -> None:
        self._pending_edit = True

    def _dispatch(self, event_type: StageEventType) -> None:
        carb.eventdispatcher.get_eventdispatcher().dispatch_event(self.stage_event_name(event_type), payload={})


class UsdExtension(omni.ext.IExt):
    """Opens an empty stage with the app, as ``/app/content/emptyStageOnStart`` has it."""

    def on_startup(self, ext_id: str) -> None:
        global _context
        _context = UsdContext()
        _context.new_stage()

    def on_shutdown(self) -> None:
        global _context
        context, _context = _context, None
        if context is not None:
            context.close_stage()
