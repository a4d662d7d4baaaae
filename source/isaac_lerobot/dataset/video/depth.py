"""Depth videos: 12-bit codes in the file, distances for the reader (the formula is lerobot's ``depth_utils``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class DepthCode:
    """How a depth camera's distances were turned into codes 0..4095.

    Attributes:
        near: Distance of code 0 [m].
        far: Distance of code 4095 [m].
        shift: Added before the logarithm is taken [m].
        logarithmic: Whether codes are evenly spaced in the logarithm of the distance.
        millimetres: Whether distances are read as mm (else m).
    """

    near: float = 0.01
    far: float = 10.0
    shift: float = 3.5
    logarithmic: bool = True
    millimetres: bool = True
    pix_fmt: str = "gray12le"

    @classmethod
    def of(cls, feature: Feature) -> DepthCode | None:
        """The code that a video feature's ``info`` describes; None for a camera that is none for depth.

        Raises:
            DatasetError: It describes none that could be.
        """
        if not feature.is_depth:
            return None
        info = feature.info or {}
        try:
            code = cls(
                near=float(info.get("video.depth_min", cls.near)),
                far=float(info.get("video.depth_max", cls.far)),
                shift=float(info.get("video.shift", cls.shift)),
                logarithmic=bool(info.get("video.use_log", cls.logarithmic)),
                millimetres=info.get("depth_unit", "mm") == "mm",
            )
        except (TypeError, ValueError, OverflowError):
            code = cls(math.nan)
        if not -code.shift < code.near < code.far < math.inf:
            raise DatasetError(f"The info of {feature.name} in {layout.INFO} says of no depth how it is coded.")
        return code

    def decode(self, codes: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Distances of the codes 0..4095, of the same shape, float32 [mm or m]; whole numbers if in mm."""
        part = codes.astype(np.float32) / np.float32(4095)
        if self.logarithmic:
            low, high = math.log(self.near + self.shift), math.log(self.far + self.shift)
            metres = np.exp(low + part * (high - low)) - self.shift
        else:
            metres = self.near + part * (self.far - self.near)
        metres = np.clip(metres, self.near, self.far)
        distances: NDArray[np.float32] = (np.rint(metres * 1000) if self.millimetres else metres).astype(np.float32)
        return distances
