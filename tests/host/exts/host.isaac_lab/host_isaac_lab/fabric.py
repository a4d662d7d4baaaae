"""Stands for ``isaaclab_physx.renderers.fabric``, which writes poses into Kit's native Fabric.

The same two classes, with the methods that Isaac Lab's Kit visualizer and views call; instead of into Fabric, which no
package index has, the poses go into ``FabricBackend.shown``.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from isaaclab.scene_data import SceneDataFormat
from isaaclab.sim import BackendCfg
from isaaclab.utils import configclass
from pxr import Usd


class FabricBackend:
    """The poses that a viewport of the stage shows.

    Attributes:
        shown: World pose of each body [m] as x, y, z and a quaternion x, y, z, w, by the path of its prim.
    """

    def __init__(self, cfg: FabricBackendCfg) -> None:
        self.shown: dict[str, tuple[float, ...]] = {}

    def bind_transforms(self, provider: Any) -> None:
        pass

    def update_transforms(self, provider: Any) -> None:
        transforms = SceneDataFormat.Transform()
        provider.get_transforms(transforms)
        rows = transforms.transforms.numpy().tolist()
        self.shown = {path: tuple(row) for path, row in zip(provider.backend.transform_paths, rows, strict=True)}

    def update_geometries(self, provider: Any, frame: int) -> None:
        pass

    def close(self) -> None:
        self.shown = {}


@configclass
class FabricBackendCfg(BackendCfg):
    """The viewport's poses; the stage is borrowed from the active simulation."""

    class_type: type = FabricBackend
    stage: Usd.Stage = field(kw_only=True, metadata={"copy": False})
    device: str = field(kw_only=True)
