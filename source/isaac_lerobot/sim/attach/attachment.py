"""``attach``: records an environment that somebody else made and steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from isaac_lerobot.errors import ConfigError, DatasetError
from isaac_lerobot.recording import (
    Configure,
    Finish,
    OpenTask,
    RecordingConfig,
    Session,
    SessionState,
    Severity,
    Start,
)
from isaac_lerobot.sim.attach.script_env import ScriptEnv
from isaac_lerobot.sim.env.environment import Environment

logger = logging.getLogger(__name__)

_STILL_STEPPED = 1.0
"""For how long after a step its script is taken to go on stepping [s]."""


class WrappedEnvironment(Protocol):
    """An environment in gymnasium's wrappers."""

    @property
    def unwrapped(self) -> Any:
        """The environment itself."""


def attach(
    env: Environment | WrappedEnvironment,
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
        env: Environment | WrappedEnvironment,
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
        self._stepped_at = float("-inf")
        unwrapped: Any = getattr(env, "unwrapped", env)
        self._host: ScriptEnv | None = ScriptEnv(unwrapped, session, self.between_steps, self.closing)

    @property
    def is_attached(self) -> bool:
        """Whether the environment is still being listened to."""
        return self._host is not None

    @property
    def is_stepped(self) -> bool:
        """Whether the script steps the environment: it has just done so, or waits in a step while paused."""
        return self._host is not None and time.monotonic() - self._stepped_at < _STILL_STEPPED

    def listens_to(self, env: Environment) -> bool:
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
        self._stepped_at = time.monotonic()
        starting = self._start and self._strict
        try:
            if not self._looked_at:
                self._looked_at = True
                self._open(host)
            host.carry_out_commands()
            if self._start:
                self._start = False
                if session.state is SessionState.READY:
                    session.carry_out(Start(), host)
                if starting and session.state is not SessionState.RECORDING:
                    raise ConfigError(session.status.message.text)
            while session.state is SessionState.PAUSED:
                host.idle()
                self._stepped_at = time.monotonic()
                host.carry_out_commands()
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
            host.flush()
            if Finish in session.status.allowed:
                session.carry_out(Finish(), host)
            while session.state is SessionState.SAVING:
                time.sleep(0.005)
                host.carry_out_commands()
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

    def _open(self, host: ScriptEnv) -> None:
        """Have the session take what the environment offers, as it would load a task."""
        config = self._config or self.session.config
        changes = {name: getattr(config, name) for name in config.model_fields_set}
        self.session.carry_out(Configure({**changes, "task": host.task}), host)
        self.session.carry_out(OpenTask(), host)

    def _let_go(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.let_go()
