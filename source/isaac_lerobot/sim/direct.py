"""Direct environments: what a ``DirectRLEnv``, which has no managers, offers a recording, and its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from isaac_lerobot.recording import Selection, TaskOffer, TermOffer
from isaac_lerobot.sim.frames import FrameReader
from isaac_lerobot.sim.inspection import camera_offers, frames_per_second, main_robot
from isaac_lerobot.sim.tensors import to_torch

_WHOLE = "obs"
"""Term name of a group that is one tensor: direct environments do not name their terms."""


def inspect_direct_env(env: Any, task: str) -> TaskOffer:
    """Return what a (reset) direct environment offers: its groups as ``policy/obs``, or ``group/term``.

    Args:
        env: The unwrapped environment.
        task: Its id.

    Raises:
        TaskError: Its rate is no whole number of frames per second.
    """
    size = int(env.single_action_space.shape[0])
    return TaskOffer(
        task=task,
        fps=frames_per_second(env.step_dt),
        num_envs=env.num_envs,
        action_names=("action",) if size == 1 else tuple(f"action.{index}" for index in range(size)),
        cameras=tuple(camera_offers(env)),
        terms=tuple(_terms(env.obs_buf)),
        robot_type=main_robot(env),
        description=str(getattr(env.cfg, "task_description", "") or ""),
    )


class DirectFrameReader(FrameReader):
    """Reads frames of a direct environment.

    Attributes:
        given: The action of the step, shape ``(num_envs, action_size)``; to be set before each frame.
    """

    def __init__(self, env: Any, selection: Selection) -> None:
        super().__init__(env, selection)
        self.given: Any = None

    def action(self) -> Any:
        """See :meth:`.FrameReader.action`."""
        return to_torch(self.given)

    def term_reader(self, key: str) -> Callable[[Any], Any]:
        """See :meth:`.FrameReader.term_reader`."""
        group, _, term = key.partition("/")

        def read(observation: Any) -> Any:
            values = observation[group]
            return to_torch(values[term] if isinstance(values, Mapping) else values)

        return read


def _terms(observation: Mapping[str, Any]) -> Iterable[TermOffer]:
    for group, values in observation.items():
        terms = values if isinstance(values, Mapping) else {_WHOLE: values}
        for term, value in terms.items():
            tensor = to_torch(value)
            yield TermOffer(f"{group}/{term}", tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))
