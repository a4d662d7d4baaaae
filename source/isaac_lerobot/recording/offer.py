"""What a loaded task offers to a recording: cameras, observation terms, actions and devices.

Plain data. The simulation floor fills it in, the panel shows it, :mod:`.selection` chooses from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isaac_lerobot.errors import TaskError, nearest

_SUCCESS = "success"


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
        shape: Shape for one environment, ``(n,)`` or ``(H, W, C)`` for a picture.
        dtype: numpy name of the dtype, e.g. ``"float32"``.
        names: A name per element where they are known (joint names, say), else None.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    names: tuple[str, ...] | None = None

    @property
    def term(self) -> str:
        """The key without its group."""
        return self.key.partition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether this is a picture: uint8, height x width x 1 or 3 channels (4: the alpha is left out)."""
        return self.dtype == "uint8" and len(self.shape) == 3 and self.shape[2] in (1, 3, 4)


@dataclass(frozen=True)
class DeviceOffer:
    """A teleop device that could drive the task.

    Attributes:
        name: What ``RecordingConfig.teleop_device`` calls it.
        label: What a person calls it.
        available: Whether it can be used here and now.
        reason: Why not, where it cannot.
        help: Its keys, or one line on what it does.
    """

    name: str
    label: str
    available: bool = True
    reason: str = ""
    help: str = ""


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
        devices: The devices that could drive it.
        success_term: The termination term that says whether the task is done, None where there is none.
        robot_type: Name of the robot asset, where it can be told.
        description: What the task is about, where it says so.
    """

    task: str
    fps: int
    num_envs: int
    action_names: tuple[str, ...]
    cameras: tuple[CameraOffer, ...] = ()
    terms: tuple[TermOffer, ...] = ()
    devices: tuple[DeviceOffer, ...] = ()
    success_term: str | None = None
    robot_type: str | None = None
    description: str = ""

    @property
    def has_success_term(self) -> bool:
        """Whether the task judges success itself."""
        return self.success_term is not None

    @property
    def suggested_state_keys(self) -> tuple[str, ...]:
        """The robot's own joint positions, where the task offers them under Isaac Lab's usual name."""
        vectors = [term for term in self.terms if not term.is_image]
        return tuple(term.key for term in vectors if term.term in ("joint_pos", "joint_positions"))[:1]


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
