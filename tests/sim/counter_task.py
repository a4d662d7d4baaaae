"""A tiny env that counts its steps: what was recorded can be told from what it holds.

Importing this module registers ``Counter-v0``. There is next to nothing to simulate and nothing to see. Its
observations are counters, its ``scripted`` source answers each observation with a known function of it
(:func:`expected_action`), and its episodes end at different times in different envs:

- an episode times out after 12 steps;
- env ``i`` fails whenever the global step counter is ``4 * i`` modulo 17. Env 0 of a fresh env thus has episodes of
  12, 5, 12, 5 … steps, env 1 of 4, 12, 5, 12, 5 …
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import isaaclab.sim as sim_utils
import torch
from isaaclab.assets import RigidObjectCfg
from isaaclab.envs import ManagerBasedRLEnvCfg, mdp
from isaaclab.managers import ActionTerm, ActionTermCfg, ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTermCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

from isaac_lerobot.sim.drive.devices import TeleopEvent

TASK_ID = "Counter-v0"
ACTION_NAMES = ("global", "local")
TIME_OUT_STEPS = 12
FAILURE_PERIOD = 17


def expected_action(step: torch.Tensor, env_id: torch.Tensor, global_step: torch.Tensor) -> torch.Tensor:
    """The action that belongs to an observation; exact in float32. Arguments are (N,) or (N, 1), result (N, 2)."""
    step, env_id, global_step = (value.reshape(-1).float() for value in (step, env_id, global_step))
    return torch.stack((0.5 * global_step + 1000.0 * env_id, -step - 0.25), dim=-1)


class CounterSource:
    """Answers the env's current observation with :func:`expected_action`."""

    name = "scripted"
    help = "Counts."

    def __init__(self, env: Any, *, seed: int = 0, fail: bool = False) -> None:
        self._env = env

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        pass

    def advance(self) -> torch.Tensor:
        policy = self._env.obs_buf["policy"]
        return expected_action(policy["step"], policy["env_id"], policy["global_step"])

    def events(self) -> list[TeleopEvent]:
        return []

    def close(self) -> None:
        pass


class NoteAction(ActionTerm):
    """Keeps the action and does nothing with it."""

    def __init__(self, cfg: NoteActionCfg, env: Any) -> None:
        super().__init__(cfg, env)
        self._joint_names = list(ACTION_NAMES)
        self._noted = torch.zeros(self.num_envs, len(ACTION_NAMES), device=self.device)

    @property
    def action_dim(self) -> int:
        return len(ACTION_NAMES)

    @property
    def raw_actions(self) -> torch.Tensor:
        return self._noted

    @property
    def processed_actions(self) -> torch.Tensor:
        return self._noted

    def process_actions(self, actions: torch.Tensor) -> None:
        self._noted[:] = actions

    def apply_actions(self) -> None:
        pass


@configclass
class NoteActionCfg(ActionTermCfg):
    class_type: type = NoteAction


def step(env: Any) -> torch.Tensor:
    """Steps since the episode began. Shape (N, 1)."""
    return env.episode_length_buf.float().unsqueeze(-1)


def env_id(env: Any) -> torch.Tensor:
    """Which env this is. Shape (N, 1)."""
    return torch.arange(env.num_envs, device=env.device, dtype=torch.float32).unsqueeze(-1)


def global_step(env: Any) -> torch.Tensor:
    """Steps since the env was made, over all episodes. Shape (N, 1)."""
    return torch.full((env.num_envs, 1), float(env.common_step_counter), device=env.device)


def fails(env: Any) -> torch.Tensor:
    """Whether the env's turn to fail has come. Shape (N,)."""
    turn = 4 * torch.arange(env.num_envs, device=env.device)
    return env.common_step_counter % FAILURE_PERIOD == turn % FAILURE_PERIOD


@configclass
class CounterSceneCfg(InteractiveSceneCfg):
    cube = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Cube",
        spawn=sim_utils.CuboidCfg(
            size=(0.1, 0.1, 0.1),
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassCfg(mass=1.0),
        ),
    )


@configclass
class ActionsCfg:
    note = NoteActionCfg(asset_name="cube")


@configclass
class ObservationsCfg:
    @configclass
    class PolicyCfg(ObservationGroupCfg):
        step = ObservationTermCfg(func=step)
        env_id = ObservationTermCfg(func=env_id)
        global_step = ObservationTermCfg(func=global_step)
        concatenate_terms = False

    @configclass
    class FlatCfg(ObservationGroupCfg):
        """The same in one vector, in another order."""

        global_step = ObservationTermCfg(func=global_step)
        cube_pos = ObservationTermCfg(func=mdp.root_pos_w, params={"asset_cfg": SceneEntityCfg("cube")})
        step = ObservationTermCfg(func=step)
        concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()
    flat: FlatCfg = FlatCfg()


@configclass
class EventsCfg:
    pass


@configclass
class RewardsCfg:
    pass


@configclass
class TerminationsCfg:
    time_out = DoneTermCfg(func=mdp.time_out, time_out=True)
    failure = DoneTermCfg(func=fails)


@configclass
class CounterEnvCfg(ManagerBasedRLEnvCfg):
    scene: CounterSceneCfg = CounterSceneCfg(num_envs=1, env_spacing=2.0)
    sim: SimulationCfg = SimulationCfg(
        device="cpu",
        dt=1.0 / 30.0,
        gravity=(0.0, 0.0, 0.0),
        physics=NewtonCfg(solver_cfg=MJWarpSolverCfg(njmax=10, nconmax=5, disable_contacts=True), use_cuda_graph=False),
    )
    actions: ActionsCfg = ActionsCfg()
    observations: ObservationsCfg = ObservationsCfg()
    events: EventsCfg = EventsCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    decimation: int = 1
    episode_length_s: float = TIME_OUT_STEPS / 30.0


if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{__name__}:CounterEnvCfg",
            "scripted_operator_entry_point": f"{__name__}:CounterSource",
        },
    )
