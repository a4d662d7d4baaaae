"""``Environment``: all that this package uses of an Isaac Lab environment, under Isaac Lab 3.0's names.

Nothing else of one is touched, but for methods that are hooked by their name (:class:`.MethodHooks`), attributes that
may be missing and are asked for with ``getattr``, and what a recorder manager gives the terms of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Tensor = Any
"""A ``torch.Tensor`` where the simulation has it, its first axis the environments where nothing else is said."""


@runtime_checkable
class Environment(Protocol):
    """An unwrapped environment of one agent and of any kind.

    Attributes:
        cfg: Its configuration.
        scene: What stands in it.
        sim: What simulates it.
        obs_buf: The observation at hand, by group: a tensor, or tensors by term. Unknown before the first reset.
    """

    cfg: Any
    scene: Scene
    sim: Simulation
    obs_buf: Mapping[str, Any]

    @property
    def num_envs(self) -> int:
        """Environments in the scene."""

    @property
    def device(self) -> Any:
        """Where the simulation runs, as torch names it."""

    @property
    def step_dt(self) -> float:
        """Simulated time of a step [s]."""

    def step(self, action: Tensor) -> Any:
        """Apply an action, shape ``(num_envs, action_size)``, for one step; reset the environments that have ended."""

    def reset(self, *, seed: int | None = None) -> Any:
        """Reset all environments."""

    def close(self) -> None:
        """Give the simulation back."""


@runtime_checkable
class ManagerBasedEnvironment(Environment, Protocol):
    """A manager-based environment.

    Attributes:
        observation_manager: Computes the observations.
        action_manager: Splits and applies the actions.
        recorder_manager: Is called at each instant of a step and of a reset.
    """

    observation_manager: ObservationManager
    action_manager: ActionManager
    recorder_manager: Any

    def reset(self, *, seed: int | None = None, env_ids: Tensor | None = None) -> Any:
        """Reset environments, int32 tensor of shape ``(n,)``, None for all."""

    def reset_to(
        self, state: Mapping[str, Any], env_ids: Tensor, *, seed: int | None = None, is_relative: bool = False
    ) -> Any:
        """Reset environments, and set their scenes to ``state``; see :meth:`Scene.get_state`."""


@runtime_checkable
class ManagerBasedRLEnvironment(ManagerBasedEnvironment, Protocol):
    """A manager-based environment whose episodes end.

    Attributes:
        termination_manager: Says which have.
        command_manager: Draws the commands that a robot is to follow.
    """

    termination_manager: TerminationManager
    command_manager: CommandManager


@runtime_checkable
class DirectEnvironment(Environment, Protocol):
    """A direct environment.

    Attributes:
        single_action_space: The gymnasium space of one environment's action.
        reset_buf: Which environments end in the step, bool, shape ``(num_envs,)``.
    """

    single_action_space: Any
    reset_buf: Tensor


@runtime_checkable
class Scene(Protocol):
    """What stands in the environments."""

    @property
    def articulations(self) -> Mapping[str, Any]:
        """The robots, and whatever else has joints, by name."""

    @property
    def sensors(self) -> Mapping[str, Any]:
        """The sensors, cameras among them, by name."""

    def __getitem__(self, name: str) -> Any:
        """Return an asset or a sensor."""

    def get_state(self, is_relative: bool = False) -> Mapping[str, Any]:
        """Return the state of all assets, ``state["articulation"]["robot"]["joint_position"]`` say.

        Args:
            is_relative: Whether positions are relative to each environment's origin [m].
        """

    def reset_to(self, state: Mapping[str, Any], env_ids: Tensor, is_relative: bool = False) -> None:
        """Set the assets of some environments to a state, without a step."""


@runtime_checkable
class Simulation(Protocol):
    """What simulates the scene."""

    def reset(self) -> None:
        """Begin the simulation anew."""

    def forward(self) -> None:
        """Let what was written to the assets take effect, without a step."""

    def render(self) -> None:
        """Draw the scene, and keep the windows alive."""

    def request_reset(self) -> None:
        """Have the environment reset itself at the end of its next step."""

    def get_setting(self, name: str) -> Any:
        """Return a setting of Isaac Lab, ``"/isaaclab/xr/enabled"`` say."""


@runtime_checkable
class ObservationManager(Protocol):
    """Computes observations: groups of terms, each group one tensor or a tensor per term."""

    _group_obs_term_cfgs: Mapping[str, Sequence[Any]]
    _group_obs_concatenate_dim: Mapping[str, int]
    _group_obs_time_major: Mapping[str, bool]

    @property
    def active_terms(self) -> Mapping[str, Sequence[str]]:
        """Names of the terms, by group."""

    @property
    def group_obs_term_dim(self) -> Mapping[str, Sequence[tuple[int, ...]]]:
        """Shapes of the terms without the environments' axis, by group."""

    @property
    def group_obs_concatenate(self) -> Mapping[str, bool]:
        """Whether a group is one tensor, by group."""


@runtime_checkable
class ActionManager(Protocol):
    """Splits an action into the terms that apply it."""

    @property
    def active_terms(self) -> Sequence[str]:
        """Names of the terms, in the order of their parts."""

    @property
    def action_term_dim(self) -> Sequence[int]:
        """Sizes of the terms' parts."""

    @property
    def total_action_dim(self) -> int:
        """Size of an action."""

    @property
    def action(self) -> Tensor:
        """The action just given, shape ``(num_envs, total_action_dim)``."""

    def get_term(self, name: str) -> Any:
        """Return a term."""


@runtime_checkable
class CommandManager(Protocol):
    """Draws commands, each anew when its time is up."""

    @property
    def active_terms(self) -> Sequence[str]:
        """Names of the terms."""

    def get_term(self, name: str) -> Any:
        """Return a term."""


@runtime_checkable
class TerminationManager(Protocol):
    """Says which episodes have ended."""

    @property
    def active_terms(self) -> Sequence[str]:
        """Names of the terms."""

    def get_term(self, name: str) -> Tensor:
        """Return what a term said at the last step; bool, shape ``(num_envs,)``."""

    def get_term_cfg(self, name: str) -> Any:
        """Return a term's configuration, whose ``func`` computes it."""

    def compute(self) -> Tensor:
        """Ask all terms."""
