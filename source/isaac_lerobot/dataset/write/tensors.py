"""Staging: torch tensors on their way to the CPU, without making the simulation wait for the transfer.

A CUDA tensor is copied into pinned memory in the background of the current CUDA stream; an event says when it has
arrived. The frame is recorded when the next one comes, or at the end of the episode. Whatever the caller does to
the tensor later on the same stream comes after the copy. CPU tensors are used in place.

torch is never imported here: a caller with tensors has done that.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isaac_lerobot.errors import FeatureError

_MOST_WAITING = 3
"""Frames on their way at most; then the oldest is waited for."""

Buffers = list[tuple[tuple[Any, ...], Any]]


@dataclass(frozen=True)
class StagedFrame:
    """A frame that is on its way to the CPU, or there.

    Attributes:
        frame: The frame; arrays in place of tensors.
        extra: The extra values, likewise.
        events: CUDA events after which the arrays hold the values; empty where they do at once.
        buffers: Pinned tensors to be used again, with their keys.
    """

    frame: dict[str, Any]
    extra: dict[str, Any] | None
    events: list[Any]
    buffers: Buffers

    @property
    def has_arrived(self) -> bool:
        """Whether the values are there."""
        return all(event.query() for event in self.events)


class TensorStaging:
    """Brings the tensors of one episode's frames to the CPU, in order."""

    def __init__(self) -> None:
        self._free: dict[tuple[Any, ...], list[Any]] = {}
        self._waiting: deque[StagedFrame] = deque()

    def stage(self, frame: Mapping[str, Any], extra: Mapping[str, Any] | None) -> StagedFrame:
        """Start bringing a frame to the CPU.

        Raises:
            FeatureError: numpy has no such dtype (bfloat16, ...).
        """
        torch = sys.modules.get("torch")
        if torch is None:
            return StagedFrame(dict(frame), None if extra is None else dict(extra), [], [])
        devices: set[Any] = set()
        buffers: Buffers = []

        def on_host(values: Mapping[str, Any]) -> dict[str, Any]:
            return {name: self._on_host(torch, name, value, devices, buffers) for name, value in values.items()}

        staged, more = on_host(frame), None if extra is None else on_host(extra)
        if not devices:
            return StagedFrame(staged, more, [], [])
        events = []
        for device in devices:
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream(device))
            events.append(event)
        owned = _owned(torch, staged, frame)
        return StagedFrame(owned, None if more is None else _owned(torch, more, extra or {}), events, buffers)

    def queue(self, staged: StagedFrame) -> list[StagedFrame]:
        """Take a frame in; return the frames that can be recorded now, oldest first."""
        if not staged.events:
            # Its arrays are the caller's and cannot wait for earlier frames.
            return [*self.rest(), staged]
        self._waiting.append(staged)
        ready = []
        while self._waiting and (len(self._waiting) > _MOST_WAITING or self._waiting[0].has_arrived):
            ready.append(self._waiting.popleft())
        for arrived in ready:
            self._wait(arrived)
        return ready

    def rest(self) -> list[StagedFrame]:
        """Wait for the frames still on their way and return them, oldest first."""
        ready = list(self._waiting)
        self._waiting.clear()
        for arrived in ready:
            self._wait(arrived)
        return ready

    def give_back(self, staged: StagedFrame) -> None:
        """Use the buffers of a frame again that has been recorded."""
        for key, buffer in staged.buffers:
            self._free.setdefault(key, []).append(buffer)

    def _wait(self, staged: StagedFrame) -> None:
        for event in staged.events:
            event.synchronize()

    def _on_host(self, torch: Any, name: str, value: Any, devices: set[Any], buffers: Buffers) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        value = value.detach()
        try:
            if not _is_cuda(torch, value):
                return value.cpu().numpy()
            key = (tuple(value.shape), value.dtype)
            free = self._free.get(key)
            pinned = free.pop() if free else torch.empty(key[0], dtype=value.dtype, pin_memory=True)
            buffers.append((key, pinned))
            pinned.copy_(value, non_blocking=True)
            devices.add(value.device)
            return pinned.numpy()
        except TypeError as error:
            raise FeatureError(f"{name!r} is a tensor of {value.dtype}, which numpy does not have.") from error


def _owned(torch: Any, staged: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the arrays that still belong to the caller, who may reuse them while the frame waits."""
    return {
        name: np.array(value) if isinstance(value, np.ndarray) and not _is_cuda(torch, given[name]) else value
        for name, value in staged.items()
    }


def _is_cuda(torch: Any, value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "cuda"
