"""``Driver``: builds the task, steps it with a teleop source and feeds the session, one tick at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from isaac_lerobot.errors import ConfigError, DatasetError, DeviceError, IsaacLeRobotError, TaskError
from isaac_lerobot.recording import (
    Command,
    Discard,
    End,
    Outcome,
    Pause,
    RecordingConfig,
    Reset,
    Resume,
    Selection,
    Session,
    SessionState,
    Snapshot,
    Start,
    TaskOffer,
)
from isaac_lerobot.sim.drive.clock import TaskClock
from isaac_lerobot.sim.drive.devices import TeleopEvent, TeleopSource, available_devices, make_source
from isaac_lerobot.sim.drive.devices.device_source import DeviceSource
from isaac_lerobot.sim.drive.pace import Pace
from isaac_lerobot.sim.env.environment import ManagerBasedRLEnvironment
from isaac_lerobot.sim.env.hooks import MethodHooks, listed
from isaac_lerobot.sim.env.offer import inspect_env
from isaac_lerobot.sim.env.success import PatientJudge
from isaac_lerobot.sim.env.tasks import list_tasks, load_env_cfg, refuse_kind
from isaac_lerobot.sim.recorder import Recorder

logger = logging.getLogger(__name__)

IDLE_WAIT = 0.03
"""How long a host may wait before it asks again while nothing is being recorded [s]."""

_REST_HZ = 30.0
"""How often the device is asked and the scene drawn while nothing is being recorded [1/s]."""

_RUNNING = (SessionState.RECORDING, SessionState.PAUSED)


class Driver:
    """Owns the environment and the teleop source of a session; the session's :class:`~.recording.Host`.

    Args:
        session: The session to serve.
        launch: Returns a context manager in which an environment of the given configuration can be built; Isaac
            Lab's ``launch_simulation`` by default, which starts what the configuration needs.
        may_step: Asked before each step; a step that may not be made now is tried again at a later tick.
    """

    def __init__(
        self,
        session: Session,
        launch: Callable[[Any], AbstractContextManager[Any]] | None = None,
        may_step: Callable[[], bool] = lambda: True,
    ) -> None:
        self.session = session
        self._launch = launch or _launch_simulation
        self._may_step = may_step
        self._launched = ExitStack()
        self._env: ManagerBasedRLEnvironment | None = None
        self._recorder: Recorder | None = None
        self._hooks = MethodHooks()
        self._ended: set[int] = set()
        self._is_resetting = False
        self._clock: TaskClock | None = None
        self._source: TeleopSource | None = None
        self._chosen: tuple[str, int | None] | None = None
        self._device_runs = False
        self._pace = Pace(0)
        self._rest_pace = Pace(_REST_HZ)

    @property
    def env(self) -> ManagerBasedRLEnvironment | None:
        """The unwrapped environment, None while no task is loaded."""
        return self._env

    def tick(self) -> float:
        """Carry out commands, then make at most one step if recording; otherwise keep device and picture alive.

        Never raises for what a user, a task or a disk did: the session then says so and can be used on.

        Returns:
            How long the host may wait before the next call [s].
        """
        try:
            self._post_events()
            if self._recorder is not None and self.session.has_commands:
                self._recorder.flush()
            self.session.carry_out_commands(self)
            self._open_chosen_device()
            self._tell_device()
            if self.session.state is not SessionState.RECORDING or not self._may_step():
                return self._rest()
            if (wait := self._pace.remaining()) > 0:
                return wait
            self._step()
            return self._pace.remaining()
        except DeviceError as error:
            self._guarded(self._close_source)  # the next start opens the device anew, or another choice
            self._interrupt(error)
        except DatasetError as error:
            self._interrupt(error)
        except IsaacLeRobotError as error:
            self._guarded(self.close)
            self.session.fail(str(error))
        except Exception as error:
            # A task is somebody else's code and may raise anything; the panel must survive it.
            logger.exception("The task raised")
            self._guarded(self.close)
            self.session.fail(f"The task stopped with an error: {type(error).__name__}: {error}. Load it again.")
        return IDLE_WAIT

    def shutdown(self, exit_code: int = 0) -> None:
        """Complete the dataset, close the environment and whatever was launched for it.

        Args:
            exit_code: What the process is going to end with: closing Kit may end it right here.
        """
        self._guarded(lambda: self.session.quit(self))
        self._guarded(self.close)
        ending = SystemExit(exit_code) if exit_code else None
        with contextlib.suppress(SystemExit):
            # Isaac Lab's launcher takes the status of an exit that passes through its context.
            self._launched.__exit__(type(ending) if ending else None, ending, None)

    # ---- the session's host ------------------------------------------------------------------------------------

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        """See :meth:`.recording.Host.list_tasks`."""
        return list_tasks(packages)

    def open(self, config: RecordingConfig) -> TaskOffer:
        """Build the environment and reset it.

        Raises:
            TaskError: It cannot be built, or is of a kind that cannot be driven.
        """
        env_cfg = load_env_cfg(config)
        # Isaac Lab's own window would offer a reset that ends the running episode as a failure.
        env_cfg.ui_window_class_type = None
        _refuse_second_simulation()
        try:
            self._launched.enter_context(self._launch(env_cfg))
            self._env = _build(config.task, env_cfg)
            self._env.reset(seed=config.seed)
            devices = available_devices(env_cfg, config.task)
            offer = inspect_env(self._env, config.task, devices, config.success_term)
            judge = PatientJudge(self._env, self.session, offer.success_term)
            self._recorder = Recorder(self._env, self.session, offer, judge)
            self._listen(self._env.recorder_manager)
            self._clock = TaskClock(self._env)
        except Exception as error:
            self._guarded(self.close)
            self._guarded(_clear_simulation)
            if isinstance(error, IsaacLeRobotError):
                raise
            logger.debug("Building %s", config.task, exc_info=True)
            reason = " ".join(str(error).split())
            raise TaskError(f"{config.task} could not be built: {type(error).__name__}: {reason}") from error
        return self._recorder.offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        """Make the teleop source, the frame reader and the success rule ready."""
        recorder = self._loaded()
        if config.task != recorder.offer.task:
            raise ConfigError(f"{config.task} is chosen, but {recorder.offer.task} is loaded. Load it first.")
        if self._source is None or self._chosen != (config.teleop_device, config.seed):
            self._open_source(config)
        assert self._clock is not None
        self._clock.hold(isinstance(self._source, DeviceSource) and not config.keep_time_out)
        self._pace = Pace(config.step_hz if config.step_hz is not None else recorder.offer.fps)
        # A replay needs the task as it was.
        return {**recorder.start(config, selection), "overrides": list(config.overrides)}

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        """See :meth:`.recording.Host.snapshot`."""
        return self._loaded().snapshot(env_ids)

    def reset(self, env_ids: Sequence[int]) -> None:
        """Reset these environments, and the source's idea of them."""
        import torch

        if self._env is None or len(env_ids) == 0:
            return
        self._is_resetting = True  # what the session wanted of these episodes has been done
        try:
            self._env.reset(env_ids=torch.tensor(list(env_ids), dtype=torch.int32, device=self._env.device))
        finally:
            self._is_resetting = False
        if self._source is not None:
            self._source.reset(list(env_ids))

    def close(self) -> None:
        """Close the environment and the source, if there are any."""
        env, self._env = self._env, None
        recorder, self._recorder = self._recorder, None
        self._clock = self._chosen = None
        self._guarded(self._close_source)
        self._guarded(self._hooks.remove)
        if recorder is not None:
            self._guarded(recorder.close)
        if env is not None:
            env.close()

    # ---- a step ------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        assert self._source is not None
        assert self._env is not None
        action = self._source.advance()
        self._pace.stepped()
        if action is None:
            self._draw()
            return
        self._ended.clear()
        self._env.step(action)
        if self._ended:
            self._episodes_ended(sorted(self._ended))

    def _episodes_ended(self, env_ids: Sequence[int]) -> None:
        """Called after a step in which these environments have reset themselves."""
        if self._source is not None:
            self._source.reset(env_ids)

    def _listen(self, manager: Any) -> None:
        """Hear of steps and resets from within.

        Isaac Lab calls its recorder manager at exactly the two instants a recorder needs: after the action was
        processed and before physics (``env.obs_buf`` and ``action_manager.action`` are then the pair of the same t),
        and before an environment is reset.
        """
        self._hooks.before(manager, "record_pre_step", self._loaded().record_step)
        self._hooks.before(manager, "record_pre_reset", self._on_reset)

    def _on_reset(self, env_ids: Any, *_: Any, **__: Any) -> None:
        recorder = self._loaded()
        ids = listed(env_ids, recorder.offer.num_envs)
        if self._is_resetting:
            recorder.forget(ids)
        else:
            recorder.end_episodes(ids)
            self._ended.update(ids)

    def _rest(self) -> float:
        """Ask the device and draw the scene, with time standing still; return how long the host may wait [s].

        In a loop of ours nobody else does: a device's START, a key that resumes and the mouse would not be heard.
        """
        if self._env is None:
            return IDLE_WAIT
        if (wait := self._rest_pace.remaining()) > 0:
            return wait
        self._rest_pace.stepped()
        if isinstance(self._source, DeviceSource):
            self._source.pump()
        self._draw()
        return self._rest_pace.remaining()

    def _draw(self) -> None:
        """Draw the scene, with time standing still."""
        assert self._env is not None
        self._env.sim.render()

    # ---- the device --------------------------------------------------------------------------------------------

    def _open_chosen_device(self) -> None:
        """Open a device as soon as it is chosen: its first key is to be heard. What is wrong with it, a start says."""
        config = self.session.config
        if self._recorder is None or self.session.state in _RUNNING:
            return
        if self._chosen != (config.teleop_device, config.seed):
            try:
                self._open_source(config)
            except DeviceError:
                logger.debug("Opening the device", exc_info=True)

    def _open_source(self, config: RecordingConfig) -> None:
        self._close_source()
        self._chosen = (config.teleop_device, config.seed)
        task = self._loaded().offer.task
        assert self._env is not None
        self._source = make_source(config.teleop_device, self._env, task_id=task, seed=config.seed)
        self._source.reset()

    def _tell_device(self) -> None:
        runs = self.session.state is SessionState.RECORDING
        if isinstance(self._source, DeviceSource) and runs != self._device_runs:
            self._device_runs = runs
            self._source.recording(runs)

    # ---- small things ------------------------------------------------------------------------------------------

    def _post_events(self) -> None:
        for event in self._source.events() if self._source is not None else ():
            if event is TeleopEvent.RESET and self._loaded().success_steps > 0:
                logger.warning("Manual reset ignored: the task has been solved, and the episode is about to be saved.")
                continue
            if (command := _command(event, self.session.state)) is not None:
                self.session.post(command)

    def _loaded(self) -> Recorder:
        if self._recorder is None:
            raise TaskError("No task is loaded.")
        return self._recorder

    def _interrupt(self, error: IsaacLeRobotError) -> None:
        was_running = self.session.state in _RUNNING
        self.session.interrupt(error)
        if was_running and self._recorder is not None:
            num_envs = self._recorder.offer.num_envs
            self._guarded(lambda: self.reset(range(num_envs)))

    def _close_source(self) -> None:
        source, self._source = self._source, None
        self._device_runs = False
        if source is not None:
            source.close()

    def _guarded(self, step: Callable[[], object]) -> None:
        """Do one step of a teardown; what goes wrong in it must not keep the others from being done."""
        try:
            step()
        except Exception:
            logger.exception("While closing")


def _command(event: TeleopEvent, state: SessionState) -> Command | None:
    """What an operator's wish means now; None for what is so already, as a device says that was told to start."""
    running = state in _RUNNING
    match event:
        case TeleopEvent.START:
            return None if state is SessionState.RECORDING else Resume() if running else Start()
        case TeleopEvent.STOP:
            return Pause() if state is SessionState.RECORDING else None
        case TeleopEvent.RESET:
            return Discard() if running else Reset()
        case TeleopEvent.DISCARD:
            return Discard()
        case TeleopEvent.SUCCESS:
            return End(Outcome.SUCCESS)
        case TeleopEvent.FAILURE:
            return End(Outcome.FAILURE)


def _build(task: str, env_cfg: Any) -> ManagerBasedRLEnvironment:
    import gymnasium

    env: ManagerBasedRLEnvironment = gymnasium.make(task, cfg=env_cfg).unwrapped
    try:
        refuse_kind(task, type(env))
    except TaskError:
        env.close()
        raise
    return env


def _refuse_second_simulation() -> None:
    """Isaac Lab has one simulation per process; a second environment would be built into somebody else's.

    Raises:
        TaskError: There is one already.
    """
    from isaaclab.sim import SimulationContext

    if SimulationContext.instance() is not None:
        raise TaskError(
            "Another simulation is open in this process. Close its environment first, or record it from its own "
            "script with isaac_lerobot.attach(env, config)."
        )


def _clear_simulation() -> None:
    """Let go of the simulation of an environment that was half built: the next one would find it in its way."""
    from isaaclab.sim import SimulationContext

    SimulationContext.clear_instance()


def _launch_simulation(env_cfg: Any) -> AbstractContextManager[Any]:
    from isaaclab.app import launch_simulation

    launched: AbstractContextManager[Any] = launch_simulation(env_cfg, {})
    return launched
