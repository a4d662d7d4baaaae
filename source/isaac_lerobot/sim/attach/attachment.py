"""``attach``: records an environment that somebody else made and steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isaac_lerobot.errors import ConfigError, DatasetError, IsaacLeRobotError, TaskError
from isaac_lerobot.recording import (
    Configure,
    Finish,
    OpenTask,
    RecordingConfig,
    Selection,
    Session,
    SessionState,
    Severity,
    Snapshot,
    Start,
    TaskOffer,
)
from isaac_lerobot.sim.env.frames import DirectFrameReader, FrameReader
from isaac_lerobot.sim.env.hooks import MethodHooks, listed
from isaac_lerobot.sim.env.offer import inspect_direct_env, inspect_env
from isaac_lerobot.sim.env.success import WatchingJudge
from isaac_lerobot.sim.env.tasks import list_tasks
from isaac_lerobot.sim.recorder import EpisodeRecorder

logger = logging.getLogger(__name__)

_IDLE_WAIT = 0.02
"""How long to wait before looking for commands again while a script's step is held [s]."""


def attach(
    env: Any,
    config: RecordingConfig | Mapping[str, Any] | None = None,
    *,
    session: Session | None = None,
    start: bool = True,
) -> Attachment:
    """Record an environment while its script goes on as before.

    Episodes end as the script's own recorders would have it: when the environment resets (a termination, the
    time-out, ``env.reset``), when the script exports (``record_pre_reset(…, force_export_or_skip=False)``,
    ``set_success_to_episodes``, ``export_episodes``), and ``recorder_manager.reset`` without an export throws them
    away. ``env.close`` completes the dataset. The environment's own recorders, HDF5 included, are not touched.

    Args:
        env: The environment, wrapped or not; manager-based or direct. It need not have been reset yet.
        config: What to record; ``dataset`` and ``state_keys`` or ``observation_keys`` at least. The fields that say
            how to step (``teleop_device``, ``step_hz``, …) mean nothing here. None: the session's.
        session: The session to feed; the panel's, say. None: a new one.
        start: Whether to record from the next step on. Otherwise a ``Start`` command begins.

    Returns:
        The attachment.

    Raises:
        ConfigError: Recording cannot start: no key is set, the environment lacks what was asked of it, the dataset's
            folder cannot be used. The observations of an environment that was not reset yet are not known: its first
            step raises this instead.
        TaskError: This is no environment that could be recorded.
    """
    attachment = Attachment(env, session or Session(), config, start=start, strict=start)
    attachment.begin()
    return attachment


class Attachment:
    """A session that records somebody else's environment. Made by :func:`attach`.

    Args:
        env: The environment.
        session: The session to feed.
        config: What to record; None: what the session is set to.
        start: Whether to record as soon as the environment has been looked at.
        strict: Whether to raise when that is not possible, instead of leaving it to the session to say so.

    Attributes:
        session: Takes commands and has the status. Commands are carried out when the script makes its next step. While
            the session is paused, that step waits, as nothing else would hold the simulation.
    """

    def __init__(
        self,
        env: Any,
        session: Session,
        config: RecordingConfig | Mapping[str, Any] | None,
        *,
        start: bool = True,
        strict: bool = False,
    ) -> None:
        self.session = session
        self._start, self._strict = start, strict
        if Configure not in session.status.allowed or OpenTask not in session.status.allowed:
            raise ConfigError(f"The session is {session.state.value} something else. Finish that first.")
        if config is not None and not isinstance(config, Mapping | RecordingConfig):
            raise ConfigError(f"attach needs a mapping or a RecordingConfig, such as {{'dataset': …}}, got {config!r}.")
        self._config = RecordingConfig.from_mapping(config) if isinstance(config, Mapping) else config
        self._looked_at = False
        self._host: _ScriptHost | None = _ScriptHost(getattr(env, "unwrapped", env), session, self)

    @property
    def is_attached(self) -> bool:
        """Whether the environment is still being listened to."""
        return self._host is not None

    def listens_to(self, env: Any) -> bool:
        """Whether this is the environment."""
        return self._host is not None and self._host.is_of(env)

    def begin(self) -> None:
        """Begin now where the environment has been reset; its first step does otherwise."""
        if self._host is not None and self._host.ready:
            self.between_steps()

    def between_steps(self) -> None:
        """Carry out the commands that came in; called before each step."""
        host, session = self._host, self.session
        if host is None:
            return
        starting = self._start and self._strict
        try:
            if not self._looked_at:
                self._looked_at = True
                self._open(host)
            session.carry_out_commands(host)
            if self._start:
                self._start = False
                if session.state is SessionState.READY:
                    session.carry_out(Start(), host)
                if starting and session.state is not SessionState.RECORDING:
                    raise ConfigError(session.status.message.text)
            while session.state is SessionState.PAUSED:
                host.idle()
                session.carry_out_commands(host)
        except Exception as error:
            # The environment is somebody else's code and may raise anything; its script goes on without us, but for
            # whoever has just asked to record it.
            if starting:
                self._let_go()
                raise
            logger.exception("Recording stopped")
            session.fail(f"Recording stopped: {type(error).__name__}: {error}.")
        if session.quit_requested:
            self._let_go()

    def detach(self) -> None:
        """Complete the dataset and leave the environment as it was found; may be called twice.

        A running episode is kept as undecided.

        Raises:
            DatasetError: The dataset could not be completed, or an episode was lost.
        """
        host, session = self._host, self.session
        if host is None:
            return
        host.is_leaving = True
        try:
            if Finish in session.status.allowed:
                session.carry_out(Finish(), host)
            while session.state is SessionState.SAVING:
                time.sleep(0.005)
                session.carry_out_commands(host)
        finally:
            self._let_go()
        status = session.status
        if status.state is SessionState.FINISHED and status.message.severity is Severity.ERROR:
            raise DatasetError(status.message.text)

    def closing(self) -> None:
        """Complete the dataset because the script closes the environment, which nothing here may prevent."""
        try:
            self.detach()
        except Exception:
            logger.exception("LeRobot Recorder, while the environment was closed")

    def _open(self, host: _ScriptHost) -> None:
        """Have the session take what the environment offers, as it would load a task."""
        config = self._config or self.session.config
        changes = {name: getattr(config, name) for name in config.model_fields_set}
        self.session.carry_out(Configure({**changes, "task": host.task}), host)
        self.session.carry_out(OpenTask(), host)

    def _let_go(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.let_go()


class _ScriptHost:
    """The session's host where a script owns the environment: it can be listened to, and asked for a reset."""

    def __init__(self, env: Any, session: Session, attachment: Attachment) -> None:
        if not hasattr(env, "scene") or not hasattr(env, "step"):
            raise TaskError(f"{type(env).__name__} is no Isaac Lab environment with a scene; it cannot be recorded.")
        if getattr(env.cfg, "possible_agents", None):
            raise TaskError(f"{type(env).__name__} has several agents; environments of one agent can be recorded.")
        self.is_leaving = False
        self._env = env
        self._session = session
        self._attachment = attachment
        self._judge = WatchingJudge(env, session)
        self._recorder: EpisodeRecorder | None = None
        self._awaiting_reset: set[int] = set()
        self._manager: Any = None
        self._hooks = MethodHooks()
        self._manager_hooks = MethodHooks()
        self._hooks.before(env, "step", self._before_step)
        self._hooks.before(env, "close", attachment.closing)
        if _is_direct(env):
            self._hooks.before(env, "_pre_physics_step", self._guarded(self._on_direct_step))
            self._hooks.before(env, "_reset_idx", self._guarded(self._on_reset))
        self._listen_to_manager()

    @property
    def task(self) -> str:
        """Id of the environment's task; gymnasium tells it only after the environment was built."""
        spec = getattr(self._env, "spec", None)
        return str(getattr(spec, "id", None) or getattr(self._env.cfg, "env_name", None) or type(self._env).__name__)

    @property
    def ready(self) -> bool:
        """Whether the environment has been reset, so that its observations are known."""
        observation = getattr(self._env, "obs_buf", None)
        return isinstance(observation, Mapping) and len(observation) > 0

    def is_of(self, env: Any) -> bool:
        """Whether this is the host's environment."""
        return self._env is env

    def let_go(self) -> None:
        """Leave the environment as it was found, and hold nothing of it."""
        self._hooks.remove()
        self._manager_hooks.remove()
        self._recorder = None
        self._manager = None
        self._env = None

    # ---- the session's host ------------------------------------------------------------------------------------

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        """See :meth:`.recording.Host.list_tasks`."""
        return list_tasks(packages)

    def open(self, config: RecordingConfig) -> TaskOffer:
        """Look at the environment that is there.

        Raises:
            TaskError: Another one was asked for.
        """
        if config.task != self.task:
            raise TaskError(f"A script is stepping {self.task} here, so {config.task} cannot be loaded. Choose "
                            f"{self.task} to record it.")  # fmt: skip
        direct = _is_direct(self._env)
        inspect = inspect_direct_env if direct else inspect_env
        offer = inspect(self._env, self.task, success_term=config.success_term)
        reader = DirectFrameReader if direct else FrameReader
        self._recorder = EpisodeRecorder(self._env, self._session, offer, self._judge, reader)
        return offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        """See :meth:`.recording.Host.start`."""
        return self._opened().start(config, selection)

    def snapshot(self, env_id: int) -> Snapshot:
        """See :meth:`.recording.Host.snapshot`."""
        return self._opened().snapshot(env_id)

    def reset(self, env_ids: Sequence[int]) -> None:
        """Have the environment reset itself at the end of the script's next step; nothing is recorded until then."""
        if self.is_leaving or not self._answers_reset_requests():
            return
        self._env.sim.request_reset()
        self._awaiting_reset = set(range(self._env.num_envs))

    def idle(self) -> None:
        """Let a moment pass without a step, the windows staying alive."""
        self._env.sim.render()
        time.sleep(_IDLE_WAIT)

    def close(self) -> None:
        """Let go of what was opened; the environment is the script's."""
        self._recorder = None
        self._awaiting_reset.clear()

    # ---- what the script does ----------------------------------------------------------------------------------

    def _before_step(self, *_: Any, **__: Any) -> None:
        self._listen_to_manager()
        self._attachment.between_steps()

    def _on_step(self) -> None:
        if self._recorder is not None:
            self._recorder.record_step(without=self._awaiting_reset)

    def _on_direct_step(self, actions: Any) -> None:
        if self._recorder is not None and isinstance(self._recorder.reader, DirectFrameReader):
            self._recorder.reader.given = actions
        self._on_step()

    def _on_pre_reset(self, env_ids: Any, force_export_or_skip: bool | None = None) -> None:
        if force_export_or_skip is None:
            # A script that exports by itself says so in its manager's configuration.
            exports_here = not self._manager.active_terms or self._manager.cfg.export_in_record_pre_reset
        else:
            exports_here = force_export_or_skip
        if exports_here:
            self._on_reset(env_ids)

    def _on_reset(self, env_ids: Any) -> None:
        ids = listed(env_ids, self._env.num_envs)
        if self._recorder is not None:
            self._recorder.end_episodes(ids)
        self._judge.forget(ids)
        self._awaiting_reset.difference_update(ids)

    def _on_success(self, env_ids: Any, success_values: Any) -> None:
        self._judge.tell(env_ids, success_values)

    def _on_export(self, env_ids: Any = None, *_: Any, **__: Any) -> None:
        ids = listed(env_ids, self._env.num_envs)
        if self._recorder is not None:
            self._recorder.end_episodes(ids)
        self._judge.forget(ids)

    def _on_manager_reset(self, env_ids: Any = None) -> None:
        """Throw away what runs: an episode that was to be kept has been exported before."""
        ids = listed(env_ids, self._env.num_envs)
        for env_id in ids:
            self._session.drop(env_id)
        self._judge.forget(ids)
        self._awaiting_reset.difference_update(ids)

    def _listen_to_manager(self) -> None:
        """Hook the recorder manager, and hook it anew where the script has put another in its place."""
        manager = getattr(self._env, "recorder_manager", None)
        if manager is self._manager:
            return
        self._manager_hooks.remove()
        self._manager = manager
        if manager is None:
            return
        for name, callback in (
            ("record_pre_step", self._on_step),
            ("record_pre_reset", self._on_pre_reset),
            ("set_success_to_episodes", self._on_success),
            ("export_episodes", self._on_export),
            ("reset", self._on_manager_reset),
        ):
            self._manager_hooks.before(manager, name, self._guarded(callback))

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Keep what goes wrong in recording away from the script: the session says so, and recording stops."""

        def call(*args: Any, **kwargs: Any) -> None:
            try:
                callback(*args, **kwargs)
            except DatasetError as error:
                logger.error("Recording stopped: %s", error)
                self._session.interrupt(error)
            except IsaacLeRobotError as error:
                logger.error("Recording stopped: %s", error)
                self._session.fail(str(error))
            except Exception as error:
                logger.exception("Recording stopped")
                self._session.fail(f"Recording stopped: {type(error).__name__}: {error}.")

        return call

    def _answers_reset_requests(self) -> bool:
        # Isaac Lab's environments with rewards look for the request at the end of a step, the others do not.
        return hasattr(self._env, "episode_length_buf") and hasattr(self._env.sim, "request_reset")

    def _opened(self) -> EpisodeRecorder:
        if self._recorder is None:
            raise TaskError("No task is loaded.")
        return self._recorder


def _is_direct(env: Any) -> bool:
    return not hasattr(type(env), "load_managers")
