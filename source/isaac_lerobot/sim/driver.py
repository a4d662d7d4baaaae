"""``Driver``: builds the task, steps it with a teleop source and feeds the session, one tick at a time."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np

from isaac_lerobot.errors import DatasetError, IsaacLeRobotError, TaskError
from isaac_lerobot.recording import (
    Command,
    Discard,
    End,
    Outcome,
    Pause,
    RecordingConfig,
    Resume,
    Selection,
    Session,
    SessionState,
    Snapshot,
    Start,
    TaskOffer,
)
from isaac_lerobot.recording.success import SuccessCounter
from isaac_lerobot.sim.frames import FrameReader
from isaac_lerobot.sim.inspection import inspect_env
from isaac_lerobot.sim.pace import Pace
from isaac_lerobot.sim.state import scene_state
from isaac_lerobot.sim.success_term import InertSuccessTerm
from isaac_lerobot.sim.tap import StepTap
from isaac_lerobot.sim.tasks import list_tasks, load_env_cfg
from isaac_lerobot.sim.teleop import TeleopEvent, TeleopSource, available_devices, make_source

logger = logging.getLogger(__name__)

IDLE_WAIT = 0.03
"""How long a host may wait before it asks again while nothing is being recorded [s]."""

_PACKAGES = ("isaaclab", "isaacsim", "isaac-lerobot", "torch", "numpy")


class Driver:
    """Owns the environment and the teleop source of a session; the session's :class:`~.recording.Host`.

    Args:
        session: The session to serve.
        launch: Returns a context manager in which an environment of the given configuration can be built; Isaac
            Lab's ``launch_simulation`` by default, which starts what the configuration needs.
    """

    def __init__(self, session: Session, launch: Callable[[Any], AbstractContextManager[Any]] | None = None) -> None:
        self.session = session
        self._launch = launch or _launch_simulation
        self._launched = ExitStack()
        self._env: Any = None
        self._offer: TaskOffer | None = None
        self._tap: StepTap | None = None
        self._success_term: InertSuccessTerm | None = None
        self._counter: SuccessCounter | None = None
        self._reader: FrameReader | None = None
        self._source: TeleopSource | None = None
        self._source_name: tuple[str, int | None] | None = None
        self._pace = Pace(0)
        self._judged = False
        self._ended_inside: set[int] = set()

    @property
    def env(self) -> Any:
        """The unwrapped environment, None while no task is loaded."""
        return self._env

    def tick(self) -> float:
        """Carry out commands, then make at most one step if recording.

        Never raises for what a user, a task or a disk did: the session then says so and can be used on.

        Returns:
            How long the host may wait before the next call [s].
        """
        try:
            self.session.carry_out_commands(self)
            self._post_events()
            if self.session.state is not SessionState.RECORDING:
                return IDLE_WAIT
            if (wait := self._pace.remaining()) > 0:
                return wait
            self._step()
            return self._pace.remaining()
        except DatasetError as error:
            self.session.interrupt(error)
            self._guarded(lambda: self.reset(range(self._num_envs())))
        except IsaacLeRobotError as error:
            self._guarded(self.close)
            self.session.fail(str(error))
        except Exception as error:
            # A task is somebody else's code and may raise anything; the panel must survive it.
            logger.exception("The task raised")
            self._guarded(self.close)
            self.session.fail(f"The task stopped with an error: {type(error).__name__}: {error}. Load it again.")
        return IDLE_WAIT

    def shutdown(self) -> None:
        """Close the environment and whatever was launched for it."""
        self._guarded(self.close)
        self._launched.close()

    # ---- the session's host ------------------------------------------------------------------------------------

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        """See :meth:`.recording.Host.list_tasks`."""
        return list_tasks(packages)

    def open(self, config: RecordingConfig) -> TaskOffer:
        """Build the environment and reset it.

        Raises:
            TaskError: It cannot be built, or is of a kind that cannot be driven.
        """
        import gymnasium

        env_cfg = load_env_cfg(config)
        self._launched.enter_context(self._launch(env_cfg))
        env = gymnasium.make(config.task, cfg=env_cfg).unwrapped
        self._env = env
        if not hasattr(env, "recorder_manager") or not hasattr(env, "termination_manager"):
            self.close()
            raise TaskError(
                f"{config.task} is a {type(env).__name__}. The panel and the command line drive manager-based RL "
                "environments; record this one from its own script with isaac_lerobot.attach(env, config)."
            )
        env.reset(seed=config.seed)
        devices = available_devices(env_cfg, config.task)
        self._offer = inspect_env(env, config.task, devices)
        if self._offer.has_success_term:
            self._success_term = InertSuccessTerm(env)
        self._tap = StepTap(env, self._on_step, self._on_reset)
        return self._offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        """Make the teleop source, the frame reader and the success rule ready."""
        offer = self._loaded()
        wanted = (config.teleop_device, config.seed)
        if self._source is None or self._source_name != wanted:
            self._close_source()
            self._source = make_source(config.teleop_device, self._env, task_id=offer.task, seed=config.seed)
            self._source_name = wanted
            self._source.reset()
        self._reader = FrameReader(self._env, selection)
        self._counter = SuccessCounter(offer.num_envs, config.num_success_steps)
        self._pace = Pace(config.step_hz if config.step_hz is not None else offer.fps)
        return environment_facts(self._env, offer.task)

    def snapshot(self, env_id: int) -> Snapshot:
        """Return the scene's state and the seed."""
        state = {name: value[env_id] for name, value in scene_state(self._env).items()}
        return Snapshot({"seed": self._env.cfg.seed}, state)

    def reset(self, env_ids: Sequence[int]) -> None:
        """Reset these environments, and the source's idea of them."""
        import torch

        if self._env is None or len(env_ids) == 0:
            return
        self._env.reset(env_ids=torch.tensor(list(env_ids), dtype=torch.int32, device=self._env.device))
        self._forget(env_ids)

    def close(self) -> None:
        """Close the environment and the source, if there are any."""
        env, self._env = self._env, None
        tap, self._tap = self._tap, None
        self._success_term = self._counter = self._reader = self._offer = None
        self._guarded(self._close_source)
        if tap is not None:
            tap.remove()
        if env is not None:
            env.close()

    # ---- a step ------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        assert self._source is not None
        action = self._source.advance()
        self._pace.stepped()
        if action is None:
            self._env.sim.render()
            return
        self._judged = False
        self._ended_inside.clear()
        self._env.step(action)
        # Environments that ended by themselves were judged and reset from within `env.step`.
        self._forget(sorted(self._ended_inside))
        succeeded = [int(env_id) for env_id in np.flatnonzero(self._judge()) if env_id not in self._ended_inside]
        running = [env_id for env_id in succeeded if self.session.records(env_id)]
        for env_id in running:
            self.session.end(env_id, Outcome.SUCCESS)
        self.reset(running)

    def _on_step(self) -> None:
        """Record the pair of observation and action of this step, from within ``env.step``."""
        if self._reader is None:
            return
        env_ids = [env_id for env_id in range(self._num_envs()) if self.session.records(env_id)]
        if not env_ids:
            return
        states = scene_state(self._env)
        for env_id, frame in zip(env_ids, self._reader.read(env_ids), strict=True):
            extra = {f"state/{name}": value[env_id] for name, value in states.items()}
            self.session.record(env_id, frame, extra)

    def _on_reset(self, env_ids: list[int]) -> None:
        """Close and judge the episodes of environments that end by themselves, before they are reset."""
        if self._env is None or self._counter is None:
            return
        running = [env_id for env_id in env_ids if self.session.records(env_id)]
        if not running:
            return
        succeeded = self._judge()
        timed_out = self._env.termination_manager.time_outs
        for env_id in running:
            if succeeded[env_id]:
                outcome = Outcome.SUCCESS
            elif timed_out[env_id] and not self.session.judged_by_term:
                outcome = Outcome.UNDECIDED
            else:
                outcome = Outcome.FAILURE
            self._ended_inside.add(env_id)
            self.session.end(env_id, outcome)

    def _judge(self) -> Any:
        """Return which environments have succeeded by the term; counts each step once. Shape ``(num_envs,)``."""
        assert self._counter is not None
        if not self.session.judged_by_term or self._success_term is None:
            return np.zeros(self._num_envs(), dtype=np.bool_)
        if not self._judged:
            self._counter.update(self._success_term.holds)
            self._judged = True
            self.session.report_success_steps(int(self._counter.steps.max()))
        return self._counter.steps >= self._counter.num_steps

    def _forget(self, env_ids: Sequence[int]) -> None:
        if self._counter is not None:
            for env_id in env_ids:
                self._counter.reset(env_id)
        if self._source is not None and env_ids:
            self._source.reset(list(env_ids))

    # ---- small things ------------------------------------------------------------------------------------------

    def _post_events(self) -> None:
        if self._source is not None:
            for event in self._source.events():
                self.session.post(_command(event, self.session.state))

    def _num_envs(self) -> int:
        return self._offer.num_envs if self._offer else 0

    def _loaded(self) -> TaskOffer:
        if self._offer is None:
            raise TaskError("No task is loaded.")
        return self._offer

    def _close_source(self) -> None:
        source, self._source, self._source_name = self._source, None, None
        if source is not None:
            source.close()

    def _guarded(self, step: Callable[[], object]) -> None:
        """Do one step of a teardown; what goes wrong in it must not keep the others from being done."""
        try:
            step()
        except Exception:
            logger.exception("While closing")


def environment_facts(env: Any, task: str) -> dict[str, Any]:
    """Return what there is to know of an environment besides its frames, as JSON-able values."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    cfg = env.cfg
    return {
        "env_name": task,
        "env_args": {
            "sim_args": {
                "dt": cfg.sim.dt,
                "decimation": cfg.decimation,
                "render_interval": cfg.sim.render_interval,
                "num_envs": cfg.scene.num_envs,
            }
        },
        "device": str(env.device),
        "versions": versions,
    }


def _command(event: TeleopEvent, state: SessionState) -> Command:
    if event is TeleopEvent.START:
        return Resume() if state is SessionState.PAUSED else Start()
    return {
        TeleopEvent.STOP: Pause(),
        TeleopEvent.RESET: Discard(),
        TeleopEvent.DISCARD: Discard(),
        TeleopEvent.SUCCESS: End(Outcome.SUCCESS),
        TeleopEvent.FAILURE: End(Outcome.FAILURE),
    }[event]


def _launch_simulation(env_cfg: Any) -> AbstractContextManager[Any]:
    from isaaclab.app import launch_simulation

    launched: AbstractContextManager[Any] = launch_simulation(env_cfg, {})
    return launched
