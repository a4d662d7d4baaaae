"""What a loaded task offers to a recording: cameras, observation terms, actions and devices.

Plain data. The simulation floor fills it in, the panel shows it, :mod:`.selection` chooses from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from isaac_lerobot.dataset.format.features import MAX_DIMENSIONS, NUMBER_DTYPES
from isaac_lerobot.errors import TaskError, nearest

_SUCCESS = "success"
_SMALLEST_PICTURE = 16
"""Shortest side from which three-dimensional numbers are taken for a picture [px]."""
_MOST_CHANNELS = 12
_RELATIVE = re.compile(r"joint_(pos|vel)_rel$")


@dataclass(frozen=True)
class CameraOffer:
    """A camera of the scene.

    Attributes:
        name: Name of the sensor in the scene, e.g. ``"front"``.
        height: Picture height [px].
        width: Picture width [px].
    """

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class TermOffer:
    """An observation term.

    Attributes:
        key: ``group/term``, e.g. ``"policy/joint_pos"``.
        shape: Shape for one environment, ``(n,)`` or ``(H, W, C)`` for a picture; ``(1,)`` for a single number.
        dtype: numpy name of the dtype, e.g. ``"float32"``.
        names: A name per element where they are known (joint names, say), else None.
        function: Name of the function that computes it where that is known, e.g. ``"joint_pos_rel"``, else empty.
        entity: The asset or sensor of the scene that it is about where that is known, e.g. ``"robot"``, else empty.
        is_scalar: Whether the environment has one number without an axis of its own, for all shape ``(num_envs,)``.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    names: tuple[str, ...] | None = None
    function: str = ""
    entity: str = ""
    is_scalar: bool = False

    @property
    def group(self) -> str:
        """The key without its term."""
        return self.key.partition("/")[0]

    @property
    def term(self) -> str:
        """The key without its group."""
        return self.key.partition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether this is a picture: uint8, height x width x 1 or 3 channels (4: the alpha is left out)."""
        return self.dtype == "uint8" and len(self.shape) == 3 and self.shape[2] in (1, 3, 4)

    @property
    def is_relative(self) -> bool:
        """Whether these are joint positions or velocities less their defaults, as Isaac Lab's ``joint_pos_rel`` is."""
        return _RELATIVE.search(self.function) is not None

    @property
    def label(self) -> str:
        """What a person calls it: its key, and what the key does not say of its numbers."""
        return f"{self.key} (relative to default)" if self.is_relative else self.key

    @property
    def obstacle(self) -> str:
        """Why it cannot be recorded and what to do, as the end of a sentence; empty where it can."""
        if 0 in self.shape:
            return "has no elements: what it is configured to observe is an empty list"
        if self._is_like_a_picture:
            size = " x ".join(map(str, self.shape))
            is_normalized = self.dtype.startswith("float") and self.shape[2] == 3
            return (
                f"is a picture of {self.dtype} ({size}), and videos hold uint8 of 1, 3 or 4 channels: record the "
                f"scene's camera{', or set normalize=False on the term' if is_normalized else ''}"
            )
        if self.dtype not in NUMBER_DTYPES:
            return f"is of {self.dtype}, which a dataset cannot hold: convert it in the task"
        if len(self.shape) > MAX_DIMENSIONS:
            return f"has {len(self.shape)} dimensions, and a dataset holds {MAX_DIMENSIONS}: flatten it in the task"
        return ""

    @property
    def _is_like_a_picture(self) -> bool:
        if self.is_image or len(self.shape) != 3:
            return False
        channels, short_side, _ = sorted(self.shape)
        return short_side >= _SMALLEST_PICTURE and channels <= _MOST_CHANNELS


@dataclass(frozen=True)
class LeftOut:
    """A camera or an observation term that the task has and that cannot be recorded.

    Attributes:
        name: Name of the camera, or ``group/term``.
        reason: Why not and what to do, as the end of a sentence: ``"has no elements: …"``.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class DeviceOffer:
    """A teleop device that could drive the task.

    Attributes:
        name: What ``RecordingConfig.teleop_device`` calls it.
        label: What a person calls it.
        available: Whether it can be used here and now.
        reason: Why not, where it cannot.
        help: Its keys, or one line on what it does.
        stands_for: Name of the device that is meant, where ``name`` says no more than that one is to be chosen.
    """

    name: str
    label: str
    available: bool = True
    reason: str = ""
    help: str = ""
    stands_for: str = ""


@dataclass(frozen=True)
class TaskOffer:
    """Everything a loaded task offers.

    Attributes:
        task: Id in gymnasium's registry.
        fps: Frames per second of the simulation, 1 / ``env.step_dt``.
        num_envs: Environments in the scene.
        action_names: A name per element of the action vector.
        cameras: The scene's cameras.
        terms: The observation terms of every group.
        left_out: Cameras and terms that cannot be recorded.
        devices: The devices that could drive it.
        robots: The articulations that the actions drive, by their names in the scene; empty where not known.
        success_term: The termination term that says whether the task is done, None where there is none.
        robot_type: Name of the robot asset, where it can be told.
        description: What the task is about, where it says so.
        warnings: What whoever records it should know first, in sentences.
    """

    task: str
    fps: int
    num_envs: int
    action_names: tuple[str, ...]
    cameras: tuple[CameraOffer, ...] = ()
    terms: tuple[TermOffer, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    devices: tuple[DeviceOffer, ...] = ()
    robots: tuple[str, ...] = ()
    success_term: str | None = None
    robot_type: str | None = None
    description: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def has_success_term(self) -> bool:
        """Whether the task judges success itself."""
        return self.success_term is not None


def find_success_term(task: str, terminations: Iterable[str], asked: str | None = None) -> str | None:
    """Return the name of the termination term that means success.

    Args:
        task: Id of the task.
        terminations: Names of its termination terms.
        asked: The one that was asked for. None: ``success``, else the first whose name ends so (``task_success``).

    Returns:
        Its name, or None where none was asked for and the task has none.

    Raises:
        TaskError: The task has no such term; names those that it has.
    """
    names = list(terminations)
    candidates = [name for name in names if name.endswith(_SUCCESS)]
    if asked is None:
        return _SUCCESS if _SUCCESS in candidates else next(iter(candidates), None)
    if asked not in names:
        hint = f"Did you mean {' or '.join(map(repr, candidates))}?" if candidates else nearest(asked, names)
        raise TaskError(f"success_term: {task} has no termination term '{asked}'. {hint}")
    return asked


def whole_fps(step_s: float) -> int | None:
    """Return the frames per second of steps that last ``step_s`` seconds, None where they are no whole number.

    A LeRobot dataset's fps is an integer.
    """
    rate = 1.0 / step_s if step_s > 0 else 0.0
    fps = round(rate) if math.isfinite(rate) else 0
    return fps if fps >= 1 and math.isclose(fps * step_s, 1.0, rel_tol=1e-6) else None
