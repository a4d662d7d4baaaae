"""``LeRobotRecorder``: the recorder term that sends every step to the dataset instead of holding the episode."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from isaaclab.managers import RecorderTerm, RecorderTermCfg
from isaaclab.managers.recorder_manager import DatasetExportMode
from isaaclab.utils import configclass
from isaaclab.utils.datasets import EpisodeData
from numpy.typing import NDArray

from isaac_lerobot.episode_data.layout import EpisodeLayout
from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import Selection, TaskOffer
from isaac_lerobot.recording.opening import DatasetSchema
from isaac_lerobot.recording.selection import Keys, default_keys, select_keys
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment
from isaac_lerobot.sim.env.facts import term_facts
from isaac_lerobot.sim.env.frames import FrameReader, scene_state, scene_tensors
from isaac_lerobot.sim.env.hooks import listed
from isaac_lerobot.sim.env.offer import inspect_env
from isaac_lerobot.sim.env.steps import StepReader
from isaac_lerobot.sim.manager.dataset_file import Contents, DatasetFile
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from isaac_lerobot.sim.manager.keys import OPTIONS, check_keys
from isaac_lerobot.sim.manager.streamed import STREAMED, StreamedEpisode, StreamedEpisodes

logger = logging.getLogger(__name__)


class LeRobotRecorder(RecorderTerm):  # type: ignore[misc]
    """Writes steps as they happen; works with :class:`.LeRobotDatasetFileHandler` only.

    A frame is the observation and the action that stand together before physics, with the state of the scene at that
    instant. The manager's ``EpisodeData`` holds the initial state, and a :class:`.StreamedEpisode` instead of tensors,
    so that memory does not grow with the episode.

    Raises:
        ConfigError: Both key lists are set and empty.
    """

    def __init__(self, cfg: LeRobotRecorderCfg, env: ManagerBasedEnvironment) -> None:
        super().__init__(cfg, env)
        check_keys(cfg.state_observation_keys, cfg.observation_keys_to_record)
        self._env_ids: NDArray[np.int64] = np.arange(env.num_envs)
        self._episodes: StreamedEpisodes | None = None
        self._steps: StepReader | None = None
        self._streamed: list[StreamedEpisode | None] = [None] * env.num_envs

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Throw away what the manager has not exported."""
        if self._episodes is not None and self._steps is not None:
            self._steps.flush()
            for env_id in listed(env_ids, len(self._env_ids)):
                self._episodes.drop(env_id)

    def record_post_reset(self, env_ids: Any) -> tuple[str, dict[str, Any]]:
        """Give the manager the state in which the episodes begin."""
        chosen = listed(env_ids, len(self._env_ids))
        return "initial_state", {path: value[chosen] for path, value in scene_tensors(self._env).items()}

    def record_pre_step(self) -> tuple[None, None]:
        """Record the observations and the actions of this step, for all environments."""
        manager = self._env.recorder_manager
        if manager.cfg.dataset_export_mode == DatasetExportMode.EXPORT_NONE:
            return None, None
        if self._steps is None or self._episodes is None:
            self._episodes, self._steps = self._open()
        self._begin_anew(manager, self._episodes, self._steps)
        self._steps.read(self._env_ids)
        return None, None

    def record_pre_reset(self, env_ids: Any) -> tuple[None, None]:
        """Take the state in which the episodes end."""
        if self._episodes is not None and self._steps is not None:
            ending = listed(env_ids, len(self._env_ids))
            self._steps.ending(ending)
            self._steps.flush()
            self._episodes.hold_final(ending)
        return None, None

    def close(self, file_path: str) -> None:
        """Throw away what was not exported; the environment may be gone already."""
        if self._episodes is not None:
            self._episodes.drop_all()

    def _open(self) -> tuple[StreamedEpisodes, StepReader]:
        """Find out what to record; possible from the first step on, when all buffers are filled."""
        env, cfg = self._env, self.cfg
        name = getattr(getattr(env, "spec", None), "id", None) or getattr(env.cfg, "env_name", None)
        offer = inspect_env(env, name or type(env).__name__)
        for warning in offer.warnings:
            logger.warning(warning)
        selection = _select(cfg, offer)
        schema = DatasetSchema(offer.fps, selection.features, cfg.robot_type or offer.robot_type, cfg.codec)
        env_args = {**({"env_name": name} if name else {}), **env.recorder_manager.get_ep_meta()}
        layout, terms = EpisodeLayout.of_selection(selection), term_facts(env, selection)
        contents = Contents(schema, layout, cfg.overwrite, env_args, terms)
        task = cfg.task_description or offer.description or offer.task
        handler = self._handler()
        episodes = StreamedEpisodes(
            env.num_envs, contents, lambda: handler.begin_episode(contents, task), lambda: scene_state(env)
        )
        return episodes, StepReader(env, FrameReader(env, selection), selection, episodes.record, logger.warning)

    def _begin_anew(self, manager: Any, episodes: StreamedEpisodes, steps: StepReader) -> None:
        """Begin an episode wherever the manager has let go of the last one, exported or not."""
        for env_id, streamed in enumerate(self._streamed):
            episode = manager.get_episode(env_id)
            if streamed is not None and episode.data.get(STREAMED) is streamed:
                continue
            steps.flush()
            episodes.drop(env_id)
            self._streamed[env_id] = episode.data[STREAMED] = StreamedEpisode(env_id, self._save)
            if episode.seed is None:
                episode.seed = self._env.cfg.seed

    def _save(self, env_id: int, file: DatasetFile, name: str, episode: EpisodeData) -> bool:
        assert self._episodes is not None
        assert self._steps is not None
        self._steps.flush()
        return self._episodes.save(env_id, file, name, episode)

    def _handler(self) -> LeRobotDatasetFileHandler:
        manager = self._env.recorder_manager
        handler = manager._dataset_file_handler
        if not isinstance(handler, LeRobotDatasetFileHandler):
            raise ConfigError(
                f"Steps are streamed to LeRobotDatasetFileHandler, and dataset_file_handler_class_type is "
                f"{manager.cfg.dataset_file_handler_class_type.__name__}. Set it to LeRobotDatasetFileHandler."
            )
        return handler


@configclass
class LeRobotRecorderCfg(RecorderTermCfg):  # type: ignore[misc]
    """What :class:`LeRobotRecorder` records; usually set through :class:`.LeRobotRecorderManagerCfg`."""

    class_type: type = LeRobotRecorder

    observation_keys_to_record: list[str] | None = None
    """Observations (``group/term``) recorded as ``observation.<term>``, pictures as ``observation.images.<term>``.
    None, as is ``state_observation_keys``: what the policy observes, see :func:`.default_terms`."""

    state_observation_keys: list[str] | None = None
    """Observations concatenated, in this order, into ``observation.state``."""

    task_description: str = ""
    """What the robot does, in words. Empty: the task's own description, or its id."""

    cameras: list[str] | None = None
    """Scene cameras recorded as ``observation.images.<camera>``. None: all, unless pictures are among the keys."""

    codec: str = "h264"
    """Video encoder: h264, av1, hevc, h264_nvenc, hevc_nvenc, av1_nvenc or auto."""

    robot_type: str | None = None
    """Robot's name in the dataset. None: the scene's robot asset, where it can be told."""

    overwrite: bool = False
    """Replace a dataset that is there instead of continuing it."""


def _select(cfg: LeRobotRecorderCfg, offer: TaskOffer) -> Selection:
    """Choose from what the environment offers.

    Raises:
        IsaacLeRobotError: A key or a camera that it does not have, or two sources for one feature.
    """
    state, observations, cameras = cfg.state_observation_keys, cfg.observation_keys_to_record, cfg.cameras
    if state is None and observations is None:
        return select_keys(replace(default_keys(offer), cameras=cameras, options=OPTIONS), offer)
    pictures = {term.key for term in offer.terms if term.is_image}
    if cameras is None and pictures.intersection(observations or ()):
        cameras = []
    return select_keys(Keys(state or (), observations or (), cameras, OPTIONS), offer)
