"""``attach_when_created``: attaches to the environment of a script that knows nothing of recording."""

from __future__ import annotations

import functools
import gc
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isaac_lerobot.errors import IsaacLeRobotError, TaskError
from isaac_lerobot.recording import RecordingConfig, Selection, Session, SessionState, Snapshot, TaskOffer
from isaac_lerobot.sim.attach.attachment import Attachment
from isaac_lerobot.sim.env.environment import Environment
from isaac_lerobot.sim.env.tasks import list_tasks

logger = logging.getLogger(__name__)

PERIOD = 0.1
"""How often to look whether there is something to be done [s]; the script's steps do the rest."""

_MANAGED = ("isaaclab.managers.recorder_manager", "RecorderManager")
_DIRECT = ("isaaclab.envs.direct_rl_env", "DirectRLEnv")
_ENVS = (("isaaclab.envs.manager_based_env", "ManagerBasedEnv"), _DIRECT)


def attach_when_created(session: Session, start: bool = True) -> AttachWatch:
    """Attach ``session`` to the environment that this process has or is going to make.

    Args:
        session: The session to feed; its configuration says what to record.
        start: Whether to record from the environment's first step on, or when a ``Start`` command comes.

    Returns:
        The watch; its :meth:`~AttachWatch.tick` is to be called again and again (at each app update, say) until the
        script has imported Isaac Lab, which this must not do for it, and as long as commands may come in.
    """
    watch = AttachWatch(session, start)
    watch.tick()
    return watch


class AttachWatch:
    """Waits for environments. Made by :func:`attach_when_created`.

    Args:
        session: The session to feed.
        start: See :func:`attach_when_created`.

    Attributes:
        attachment: To the environment there is, or was last; None before the first.
    """

    def __init__(self, session: Session, start: bool) -> None:
        self.attachment: Attachment | None = None
        self._session = session
        self._start = start
        self._waiting = [_MANAGED, _DIRECT]
        self._unwatch: list[Callable[[], None]] = []

    def tick(self) -> float:
        """Look for environments, and carry out those commands that no step of the script is going to.

        Returns:
            How long this may be left alone [s].
        """
        self._look()
        if self.attachment is None or not self.attachment.is_attached:
            self._session.carry_out_commands(_NOBODY)
            if self._session.state is SessionState.LOADING:
                self._session.carry_out_commands(_NOBODY)
        elif not self.attachment.is_stepped:
            self._session.carry_out_settings(_NOBODY)
        return PERIOD

    def stop(self) -> None:
        """Wait no longer. An attachment goes on until it is detached."""
        self._waiting.clear()
        while self._unwatch:
            self._unwatch.pop()()

    def shutdown(self) -> None:
        """Wait no longer, complete the dataset and leave the environment as it was found.

        Raises:
            DatasetError: The dataset could not be completed, or an episode was lost.
        """
        self.stop()
        if self.attachment is not None:
            self.attachment.detach()

    def _look(self) -> None:
        """Look whether Isaac Lab has been imported, and from then on hear of every environment that is made."""
        for place in list(self._waiting):
            module_name, class_name = place
            module = sys.modules.get(module_name)
            # A module that is still being imported does not have the class yet.
            owner = getattr(module, class_name, None)
            if owner is None:
                continue
            self._waiting.remove(place)
            self._unwatch.append(_after_init(owner, self._on_manager if place is _MANAGED else self._on_env))
            if place is _MANAGED:
                self._find_existing()

    def _on_manager(self, manager: Any, cfg: Any, env: Environment) -> None:
        self._on_env(env)

    def _on_env(self, env: Environment, *_: Any, **__: Any) -> None:
        if self.attachment is not None and self.attachment.is_attached:
            # The script may give its environment another recorder manager; the attachment notices by itself.
            if not self.attachment.listens_to(env):
                logger.warning("%s is not recorded: another environment already is.", type(env).__name__)
            return
        try:
            self.attachment = Attachment(env, self._session, None, start=self._start)
        except IsaacLeRobotError as error:
            logger.error("%s is not recorded: %s", type(env).__name__, error)

    def _find_existing(self) -> None:
        """Attach to an environment that was made before anybody watched."""
        classes = tuple(
            found for name, kind in _ENVS if (found := getattr(sys.modules.get(name), kind, None)) is not None
        )
        for candidate in gc.get_objects() if classes else ():
            # Not isinstance: it would look through weak proxies, and raise at those that are dead.
            if issubclass(type(candidate), classes) and not getattr(candidate, "_is_closed", True):
                self._on_env(candidate)
                return


class _Nobody:
    """The session's host while no script has an environment here."""

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        return list_tasks(packages)

    def open(self, config: RecordingConfig) -> TaskOffer:
        raise TaskError(_NO_ENVIRONMENT)

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        raise TaskError(_NO_ENVIRONMENT)

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        raise TaskError(_NO_ENVIRONMENT)

    def reset(self, env_ids: Sequence[int]) -> None:
        """There is nothing to reset."""

    def close(self) -> None:
        """There is nothing to close."""


_NOBODY = _Nobody()
_NO_ENVIRONMENT = (
    "No script in this app has an environment now. Its environment is taken as soon as the script makes one; to load "
    "tasks here instead, start the app without attach=true."
)


def _after_init(owner: type, callback: Callable[..., None]) -> Callable[[], None]:
    """Call ``callback`` with the object and its arguments whenever one is made; return what undoes this."""
    original = owner.__init__  # type: ignore[misc]

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        callback(self, *args, **kwargs)

    owner.__init__ = init  # type: ignore[misc]

    def undo() -> None:
        if owner.__init__ is init:  # type: ignore[misc]
            owner.__init__ = original  # type: ignore[misc]

    return undo
