"""``LeRobotRecorderManagerCfg``: Isaac Lab's recorder manager, set up to stream into a LeRobot dataset."""

from __future__ import annotations

from typing import Any

from isaaclab.managers.recorder_manager import RecorderManagerBaseCfg
from isaaclab.utils import configclass

from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from isaac_lerobot.sim.manager.term import LeRobotRecorderCfg


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


class LeRobotRecorderManagerCfg(_StreamingRecorderManagerCfg):
    """Records an environment into a LeRobot dataset while it is stepped, nothing being held for the episode.

    Takes the place of ``ActionStateRecorderManagerCfg`` with ``dataset_file_handler_class_type`` set. All that
    ``RecorderManagerBaseCfg`` has means what it means there. Further settings are those of
    :class:`.LeRobotRecorderCfg`: ``observation_keys_to_record``, ``state_observation_keys``, ``task_description``,
    ``cameras``, ``codec``, ``robot_type``, ``overwrite``. They are set as attributes, or given as
    ``record_lerobot=LeRobotRecorderCfg(...)``.
    """

    observation_keys_to_record = _setting("observation_keys_to_record")
    state_observation_keys = _setting("state_observation_keys")
    task_description = _setting("task_description")
    cameras = _setting("cameras")
    codec = _setting("codec")
    robot_type = _setting("robot_type")
    overwrite = _setting("overwrite")
