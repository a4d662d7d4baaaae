"""``FrameReader``: from an environment's buffers to the frames of one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.episode_data.tensors import as_numpy, flat, three_channels, to_torch
from isaac_lerobot.recording import Selection
from isaac_lerobot.recording.selection import ACTION, STATE
from isaac_lerobot.sim.env.environment import ActionManager, DirectEnvironment, Environment, ManagerBasedEnvironment
from isaac_lerobot.sim.env.offer import colour_output


class FrameReader:
    """Reads what a selection names out of a manager-based environment, once per step for all environments.

    Args:
        env: The unwrapped environment.
        selection: What to read.
    """

    def __init__(self, env: ManagerBasedEnvironment, selection: Selection) -> None:
        self._env = env
        self._state = [self.term_reader(term.key) for term in selection.state]
        self._columns = {
            name: (self.term_reader(term.key), selection.features[name]["shape"])
            for name, term in selection.observations.items()
        }
        self._pictures = {name: self.term_reader(term.key) for name, term in selection.pictures.items()}
        self._cameras = {name: env.scene.sensors[camera.name] for name, camera in selection.cameras.items()}

    def read(self) -> dict[str, Any]:
        """Return the observation at hand and the action just given: tensors by feature, shape ``(num_envs, …)``.

        They are where the simulation has them, and may be its own buffers, which the step overwrites.

        To be called from within ``env.step``, after the action was processed and before physics: there
        ``env.obs_buf`` is the observation at t and ``action_manager.action`` the action at t.
        """
        import torch

        observation, num_envs = self._env.obs_buf, self._env.num_envs
        batch: dict[str, Any] = {ACTION: self.action().float()}
        if self._state:
            parts = [read(observation).reshape(num_envs, -1).float() for read in self._state]
            batch[STATE] = torch.cat(parts, dim=1)
        for name, (read, shape) in self._columns.items():
            batch[name] = read(observation).reshape(num_envs, *shape)
        for name, read in self._pictures.items():
            batch[name] = three_channels(read(observation))
        for name, sensor in self._cameras.items():
            batch[name] = three_channels(colour_output(sensor))
        return batch

    def action(self) -> Any:
        """Return the action just given, shape ``(num_envs, action_size)``."""
        return self._env.action_manager.action

    def term_reader(self, key: str) -> Callable[[Any], Any]:
        """Return a function that takes ``env.obs_buf`` to the values of one term, shape ``(num_envs, …)``."""
        return _term_reader(self._env, key)


class DirectFrameReader(FrameReader):
    """Reads frames of a direct environment.

    Attributes:
        given: The action of the step, shape ``(num_envs, action_size)``; to be set before each frame.
    """

    def __init__(self, env: DirectEnvironment, selection: Selection) -> None:
        super().__init__(env, selection)  # type: ignore[arg-type]  # what asks the managers is overridden
        self.given: Any = None

    def action(self) -> Any:
        """See :meth:`.FrameReader.action`."""
        # A discrete action may come as one number per environment.
        return to_torch(self.given).reshape(self._env.num_envs, -1)

    def term_reader(self, key: str) -> Callable[[Any], Any]:
        """See :meth:`.FrameReader.term_reader`."""
        group, _, term = key.partition("/")

        def read(observation: Any) -> Any:
            values = observation[group]
            return _per_env(values[term] if isinstance(values, Mapping) else values)

        return read


def scene_tensors(env: Environment) -> dict[str, Any]:
    """Return the state of the scene's assets relative to each environment's origin.

    Names are Isaac Lab's path, ``"articulation/robot/joint_position"``; tensors of shape ``(num_envs, …)`` where the
    simulation has them; units are Isaac Lab's: poses [m, quaternion], velocities [m/s, rad/s], joints [rad or m, rad/s
    or m/s].
    """
    return {path: to_torch(value) for path, value in flat(env.scene.get_state(is_relative=True)).items()}


def scene_state(env: Environment) -> dict[str, NDArray[Any]]:
    """Return what :func:`scene_tensors` does as numpy arrays, which are the caller's."""
    return {path: np.array(as_numpy(value)) for path, value in scene_tensors(env).items()}


def processed_actions(env: Environment) -> Any | None:
    """Return the actions as the action terms have processed them, concatenated: shape ``(num_envs, n)``.

    None for an environment without action terms.
    """
    import torch

    manager: ActionManager | None = getattr(env, "action_manager", None)
    terms = [manager.get_term(name) for name in manager.active_terms] if manager is not None else []
    if not terms:
        return None
    return torch.cat([to_torch(term.processed_actions) for term in terms], dim=-1)


def _term_reader(env: ManagerBasedEnvironment, key: str) -> Callable[[Any], Any]:
    """Return a function that takes the observation buffer to the values of one term, shape ``(num_envs, …)``."""
    group, _, term = key.partition("/")
    manager = env.observation_manager
    names = manager.active_terms[group]
    if not manager.group_obs_concatenate[group]:
        return lambda observation: _per_env(observation[group][term])
    if len(names) == 1:
        return lambda observation: _per_env(observation[group])
    shapes, index = manager.group_obs_term_dim[group], names.index(term)
    if manager._group_obs_time_major[group]:
        # Flat, and ordered by time first: every step of the history holds all terms.
        steps = manager._group_obs_term_cfgs[group][0].history_length
        sizes = [shape[0] // steps for shape in shapes]
        start = sum(sizes[:index])
        return lambda observation: (
            to_torch(observation[group]).unflatten(1, (steps, -1)).narrow(2, start, sizes[index]).flatten(1)
        )
    # The manager's dimension counts the batch; its public configuration may count from the end.
    dim = manager._group_obs_concatenate_dim[group]
    sizes = [shape[dim - 1 if dim > 0 else dim] for shape in shapes]
    start = sum(sizes[:index])
    return lambda observation: to_torch(observation[group]).narrow(dim, start, sizes[index])


def _per_env(value: Any) -> Any:
    """Give each environment an axis of its own even where a term is one number for each."""
    tensor = to_torch(value)
    return tensor.unsqueeze(-1) if tensor.ndim == 1 else tensor
