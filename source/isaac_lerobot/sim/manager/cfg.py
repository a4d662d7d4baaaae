"""``LeRobotRecorderManagerCfg``: Isaac Lab's recorder manager, set up to stream into a LeRobot dataset."""

from __future__ import annotations

from typing import Any

from isaaclab.managers import RecorderTermCfg
from isaaclab.managers.recorder_manager import RecorderManagerBaseCfg
from isaaclab.utils import configclass

from isaac_lerobot.errors import ConfigError, nearest
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from isaac_lerobot.sim.manager.term import LeRobotRecorderCfg

_SETTINGS = (
    "observation_keys_to_record",
    "state_observation_keys",
    "task_description",
    "cameras",
    "codec",
    "robot_type",
    "overwrite",
)


@configclass
class _StreamingRecorderManagerCfg(RecorderManagerBaseCfg):  # type: ignore[misc]
    """A recorder manager with the streaming term and the LeRobot file handler."""

    dataset_file_handler_class_type: type = LeRobotDatasetFileHandler

    record_lerobot: LeRobotRecorderCfg = LeRobotRecorderCfg()


def _setting(name: str) -> property:
    """A setting of the streaming term under the manager's own name.

    Isaac Lab's manager takes everything in the configuration's ``__dict__`` that it does not know for a recorder
    term, and refuses what is none. A property is not in there.
    """

    def get(cfg: LeRobotRecorderManagerCfg) -> Any:
        return getattr(cfg.record_lerobot, name)

    def put(cfg: LeRobotRecorderManagerCfg, value: Any) -> None:
        setattr(cfg.record_lerobot, name, value)

    return property(get, put)


class _TakesSettings(type):
    """Takes the settings out of a constructor's arguments: those that ``configclass`` makes know fields only."""

    def __call__(cls, *args: Any, **values: Any) -> Any:
        fields = cls.__dataclass_fields__  # type: ignore[attr-defined]
        unknown = next((name for name in values if name not in fields and name not in _SETTINGS), None)
        if unknown is not None:
            raise ConfigError(f"{cls.__name__} has no setting '{unknown}'. {nearest(unknown, (*_SETTINGS, *fields))}")
        settings = {name: values.pop(name) for name in _SETTINGS if name in values and name not in fields}
        made = super().__call__(*args, **values)
        for name, value in settings.items():
            setattr(made, name, value)
        return made


class LeRobotRecorderManagerCfg(_StreamingRecorderManagerCfg, metaclass=_TakesSettings):
    """Records an environment into a LeRobot dataset while it is stepped, nothing being held for the episode.

    Takes the place of ``ActionStateRecorderManagerCfg`` with ``dataset_file_handler_class_type`` set. All that
    ``RecorderManagerBaseCfg`` has means what it means there. Further settings, which may be given to the constructor,
    set afterwards, or be class attributes of a subclass, are those of :class:`.LeRobotRecorderCfg`:
    ``observation_keys_to_record``, ``state_observation_keys``, ``task_description``, ``cameras``, ``codec``,
    ``robot_type``, ``overwrite``.
    """

    observation_keys_to_record = _setting("observation_keys_to_record")
    state_observation_keys = _setting("state_observation_keys")
    task_description = _setting("task_description")
    cameras = _setting("cameras")
    codec = _setting("codec")
    robot_type = _setting("robot_type")
    overwrite = _setting("overwrite")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take settings that a subclass has as class attributes for its defaults."""
        super().__init_subclass__(**kwargs)
        own = {name: cls.__dict__[name] for name in _SETTINGS if name in cls.__dict__}
        for name in own:
            delattr(cls, name)
            cls.__annotations__.pop(name, None)
        if own:
            # The class is not a configclass yet: its decorator comes after this, and makes a field of what is set here.
            bases = (base.__dict__.get("__dataclass_fields__", {}) for base in cls.__mro__)
            fields = next(found for found in bases if "record_lerobot" in found)
            term = cls.__dict__.get("record_lerobot") or fields["record_lerobot"].default_factory()
            cls.record_lerobot = term.replace(**own)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a misspelt setting is refused here, where the user can see it.

        Raises:
            ConfigError: There is no such setting, and the value is no recorder term.
        """
        known = hasattr(type(self), name) or name in self.__dataclass_fields__
        if not known and value is not None and not isinstance(value, RecorderTermCfg):
            hint = nearest(name, (*_SETTINGS, *self.__dataclass_fields__))
            raise ConfigError(f"{type(self).__name__} has no setting '{name}'. {hint}")
        super().__setattr__(name, value)
