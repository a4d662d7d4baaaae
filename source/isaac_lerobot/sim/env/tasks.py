"""Tasks: which ones there are, and the configuration of one."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from isaac_lerobot.errors import ConfigError, TaskError, nearest
from isaac_lerobot.recording import RecordingConfig
from isaac_lerobot.recording.offer import find_success_term

logger = logging.getLogger(__name__)

_DEMO_PACKAGE = "isaac_lerobot.app.demo_task"
_ISAAC_LAB_PACKAGES = ("isaaclab_tasks", "isaaclab_mimic.envs")
"""What registers Isaac Lab's own tasks; an installation may lack either."""


def list_tasks(packages: Sequence[str]) -> list[str]:
    """Return the ids of all tasks that Isaac Lab could build, sorted; direct ones, which only a script can step, too.

    Args:
        packages: Further modules to import first, because they register tasks.

    Raises:
        ConfigError: One of the packages cannot be imported.
    """
    import gymnasium

    importlib.import_module(_DEMO_PACKAGE)
    for problem in _register_isaac_lab():
        logger.warning(problem)
    for package in packages:
        try:
            importlib.import_module(package)
        except Exception as error:  # somebody else's code
            raise ConfigError(f"task_packages: {_not_imported(package, error)}") from error
    return sorted(name for name, spec in gymnasium.registry.items() if "env_cfg_entry_point" in spec.kwargs)


def load_env_cfg(config: RecordingConfig) -> Any:
    """Return the environment configuration of ``config.task``, with overrides, device, number of envs and seed set.

    Raises:
        TaskError: There is no such task (the nearest ones are named), it is of a kind that cannot be driven, its
            configuration cannot be loaded, an override names what it does not have, or it lacks the success term that
            was asked for.
    """
    known = list_tasks(config.task_packages)
    if config.task not in known:
        unknown = f"There is no task '{config.task}'. {nearest(config.task, known)}"
        raise TaskError(" ".join([unknown, *_register_isaac_lab()]))
    refuse_kind(config.task, _env_class(config.task))
    try:
        _check_overrides(config.task, config.overrides)
        env_cfg = _parse(config.task, config.overrides, device=config.device, num_envs=config.num_envs)
    except TaskError:
        raise
    except Exception as error:  # a task's configuration is somebody else's code
        raise TaskError(f"The configuration of {config.task} cannot be loaded: {error}") from error
    if config.success_term is not None:
        terms = vars(env_cfg.terminations)
        find_success_term(config.task, [name for name in terms if terms[name] is not None], config.success_term)
    env_cfg.seed = config.seed if config.seed is not None else env_cfg.seed
    # Without a re-render the first picture after a reset would still show the previous episode.
    env_cfg.num_rerenders_on_reset = max(1, getattr(env_cfg, "num_rerenders_on_reset", 0))
    return env_cfg


def refuse_kind(task: str, env_class: type | None) -> None:
    """Make sure that environments of a class can be driven; of an unknown one (None) nothing is said.

    Raises:
        TaskError: They cannot; says what can be done instead.
    """
    from isaaclab.envs import DirectMARLEnv, DirectRLEnv, ManagerBasedEnv, ManagerBasedRLEnv

    if env_class is None or not issubclass(env_class, DirectMARLEnv | DirectRLEnv | ManagerBasedEnv):
        return
    if issubclass(env_class, DirectMARLEnv):
        raise TaskError(f"{task} has several agents ({env_class.__name__}); tasks of one agent can be recorded.")
    if not issubclass(env_class, ManagerBasedRLEnv):
        raise TaskError(
            f"{task} is a {env_class.__name__}. The panel and the command line drive manager-based RL environments; "
            "record this one from its own script with isaac_lerobot.attach(env, config)."
        )


def _register_isaac_lab() -> list[str]:
    """Have Isaac Lab's own tasks registered; return what keeps any of them from it, in sentences."""
    problems = []
    for package in _ISAAC_LAB_PACKAGES:
        try:
            with warnings.catch_warnings():
                # Mimic registers two of the other package's tasks anew, on purpose.
                warnings.filterwarnings("ignore", message=".*Overriding environment", category=UserWarning)
                importlib.import_module(package)
        except Exception as error:  # somebody else's code
            is_absent = isinstance(error, ModuleNotFoundError) and f"{package}.".startswith(f"{error.name}.")
            if not is_absent:
                logger.debug("%s cannot be imported", package, exc_info=True)
                problems.append(f"{_not_imported(package, error)} Its tasks are missing.")
    return problems


def _not_imported(package: str, error: Exception) -> str:
    return f"{package} cannot be imported: {type(error).__name__}: {' '.join(str(error).split())}."


def _env_class(task: str) -> type | None:
    """Return the class of a task's environments, None where it is not to be had before the simulation is launched."""
    import gymnasium

    entry_point = gymnasium.spec(task).entry_point
    if isinstance(entry_point, str):
        module, _, name = entry_point.partition(":")
        try:
            entry_point = getattr(importlib.import_module(module), name)
        except Exception:  # somebody else's code, some of which needs a running Isaac Sim
            logger.debug("%s cannot be looked at yet", module, exc_info=True)
    return entry_point if inspect.isclass(entry_point) else None


def _parse(task: str, overrides: Sequence[str], **changes: Any) -> Any:
    from isaaclab_tasks.utils.parse_cfg import parse_env_cfg

    return parse_env_cfg(task, overrides=list(overrides), **changes)


def _check_overrides(task: str, overrides: Sequence[str]) -> None:
    """Make sure that what each override sets is there: Isaac Lab would set anything.

    Raises:
        TaskError: Naming the override, and what there is instead.
    """
    for override in overrides:
        path = override.partition("=")[0]
        if not path.startswith("env."):
            continue
        others = [other for other in overrides if not other.startswith((f"{path}=", f"{path}."))]
        with contextlib.redirect_stdout(io.StringIO()):
            place = _parse(task, others)
        for depth, name in enumerate(path.split(".")[1:], start=1):
            members = place if isinstance(place, Mapping) else vars(place) if hasattr(place, "__dict__") else {}
            if name not in members:
                where = ".".join(path.split(".")[:depth])
                raise TaskError(f"overrides: {where} of {task} has no '{name}'. {nearest(name, members)}")
            place = members[name]
