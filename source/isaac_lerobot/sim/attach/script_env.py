"""``ScriptEnv``: the environment of a script that knows nothing of recording, as a session's host."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard, cast

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.errors import DatasetError, IsaacLeRobotError, TaskError
from isaac_lerobot.recording import RecordingConfig, Selection, Session, Snapshot, TaskOffer
from isaac_lerobot.sim.env.environment import DirectEnvironment, Environment, ManagerBasedEnvironment
from isaac_lerobot.sim.env.frames import DirectFrameReader, FrameReader
from isaac_lerobot.sim.env.hooks import MethodHooks, listed
from isaac_lerobot.sim.env.offer import inspect_direct_env, inspect_env
from isaac_lerobot.sim.env.success import WatchingJudge
from isaac_lerobot.sim.env.tasks import list_tasks
from isaac_lerobot.sim.recorder import Recorder

logger = logging.getLogger(__name__)

_IDLE_WAIT = 0.02
"""How long to wait before looking for commands again while a script's step is held [s]."""


class ScriptEnv:
    """The session's host where a script owns the environment: it can be listened to, and asked for a reset.

    Args:
        env: The unwrapped environment.
        session: The session to feed.
        between_steps: Called before each of the script's steps.
        closing: Called before the script closes the environment.

    Raises:
        TaskError: This is no environment that could be recorded.
    """

    def __init__(
        self, env: Environment, session: Session, between_steps: Callable[[], None], closing: Callable[[], None]
    ) -> None:
        if not hasattr(env, "scene") or not hasattr(env, "step"):
            raise TaskError(f"{type(env).__name__} is no Isaac Lab environment with a scene; it cannot be recorded.")
        if getattr(env.cfg, "possible_agents", None):
            raise TaskError(f"{type(env).__name__} has several agents; environments of one agent can be recorded.")
        self.is_leaving = False
        self._env = env
        self._session = session
        self._between_steps = between_steps
        self._judge = WatchingJudge(env, session)
        self._recorder: Recorder | None = None
        self._awaiting_reset: set[int] = set()
        self._manager: Any = None
        self._hooks = MethodHooks()
        self._manager_hooks = MethodHooks()
        self._hooks.before(env, "step", self._before_step)
        self._hooks.before(env, "close", closing)
        if _is_direct(env):
            self._hooks.before(env, "_pre_physics_step", self._guarded(self._on_direct_step))
            self._hooks.before(env, "_reset_idx", self._guarded(self._on_reset))
            if _resets_by_mask(env):
                self._hooks.before(env, "_reset_envs_from_buffer", self._guarded(self._on_masked_reset))
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

    def is_of(self, env: Environment) -> bool:
        """Whether this is the host's environment."""
        return self._env is env

    def let_go(self) -> None:
        """Leave the environment as it was found, and hold nothing of it."""
        self._hooks.remove()
        self._manager_hooks.remove()
        self._recorder = None
        self._manager = None
        del self._env

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
        reader: type[FrameReader]
        if _is_direct(self._env):
            offer = inspect_direct_env(self._env, self.task, config.success_term)
            reader = DirectFrameReader
        else:
            managed = cast(ManagerBasedEnvironment, self._env)
            offer = inspect_env(managed, self.task, success_term=config.success_term)
            reader = FrameReader
        self._judge.term = offer.success_term
        self._recorder = Recorder(self._env, self._session, offer, self._judge, reader)
        return offer

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        """See :meth:`.recording.Host.start`."""
        return self._opened().start(config, selection)

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        """See :meth:`.recording.Host.snapshot`."""
        return self._opened().snapshot(env_ids)

    def reset(self, env_ids: Sequence[int]) -> None:
        """Have the environment reset itself at the end of the script's next step; nothing is recorded until then."""
        if self.is_leaving or not self._answers_reset_requests():
            return
        self._env.sim.request_reset()
        self._awaiting_reset = set(range(self._env.num_envs))

    def carry_out_commands(self) -> None:
        """Have the session carry out the commands that came in."""
        if self._session.has_commands:
            self.flush()
        self._session.carry_out_commands(self)

    def flush(self) -> None:
        """Hand over the frames that are still on their way to the session."""
        if self._recorder is not None:
            self._recorder.flush()

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
        self._between_steps()

    def _on_step(self) -> None:
        if self._recorder is not None:
            self._recorder.record_step(without=self._awaiting_reset)

    def _on_direct_step(self, actions: Any) -> None:
        if self._recorder is not None and isinstance(self._recorder.reader, DirectFrameReader):
            self._recorder.reader.given = actions
        self._on_step()

    def _on_masked_reset(self) -> None:
        """End what the environment is about to reset without a word to ``_reset_idx``."""
        if env_ids := to_torch(cast(DirectEnvironment, self._env).reset_buf).nonzero().flatten().tolist():
            self._on_reset(env_ids)

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
        self._end_episodes(ids)
        self._awaiting_reset.difference_update(ids)

    def _on_success(self, env_ids: Any, success_values: Any) -> None:
        self._judge.tell(listed(env_ids, self._env.num_envs), success_values)

    def _on_export(self, env_ids: Any = None, *_: Any, **__: Any) -> None:
        self._end_episodes(listed(env_ids, self._env.num_envs))

    def _end_episodes(self, env_ids: Sequence[int]) -> None:
        if self._recorder is not None:
            self._recorder.end_episodes(env_ids)
        else:
            self._judge.forget(env_ids)

    def _on_manager_reset(self, env_ids: Any = None) -> None:
        """Throw away what runs: an episode that was to be kept has been exported before."""
        ids = listed(env_ids, self._env.num_envs)
        if self._recorder is not None:
            self._recorder.drop(ids)
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

    def _opened(self) -> Recorder:
        if self._recorder is None:
            raise TaskError("No task is loaded.")
        return self._recorder


def _resets_by_mask(env: DirectEnvironment) -> bool:
    """Whether a direct environment has its own way to reset, which may do without the numbers of environments."""
    from isaaclab.envs import DirectRLEnv

    known = DirectRLEnv._reset_envs_from_buffer
    return isinstance(env, DirectRLEnv) and type(env)._reset_envs_from_buffer is not known


def _is_direct(env: Environment) -> TypeGuard[DirectEnvironment]:
    return not hasattr(type(env), "load_managers")
