"""``LeRobotRecorder``: the recorder term that sends every step to the dataset instead of holding the episode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from isaaclab.managers import RecorderTerm, RecorderTermCfg
from isaaclab.managers.recorder_manager import DatasetExportMode
from isaaclab.utils import configclass

from isaac_lerobot.episode_data.layout import NO_KEYS, EpisodeLayout
from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.errors import ConfigError, IsaacLeRobotError
from isaac_lerobot.recording import RecordingConfig, Selection, TaskOffer, select
from isaac_lerobot.sim.env.frames import FrameReader, scene_state
from isaac_lerobot.sim.env.hooks import listed
from isaac_lerobot.sim.env.offer import inspect_env
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler, dataset_folder, open_handler
from isaac_lerobot.sim.manager.streamed import STREAMED, StreamedEpisode, StreamSchema

_OPTIONS = {"state_keys": "state_observation_keys", "observation_keys": "observation_keys_to_record"}
_MAIN_GROUP = "policy"


class LeRobotRecorder(RecorderTerm):  # type: ignore[misc]
    """Writes frames as they happen; works with :class:`.LeRobotDatasetFileHandler` only.

    A frame is the observation and the action that stand together before physics, with the state of the scene after
    it. The manager's ``EpisodeData`` holds a :class:`.StreamedEpisode` instead of tensors, so that memory does not
    grow with the episode.

    Raises:
        ConfigError: Both key lists are set and empty.
    """

    def __init__(self, cfg: LeRobotRecorderCfg, env: Any) -> None:
        super().__init__(cfg, env)
        given = [keys for keys in (cfg.state_observation_keys, cfg.observation_keys_to_record) if keys is not None]
        if given and not any(given):
            raise ConfigError(NO_KEYS)
        self._schema: StreamSchema | None = None
        self._reader: FrameReader | None = None
        self._episodes: dict[int, StreamedEpisode] = {}
        self._initial_states: dict[int, dict[str, Any]] = {}
        self._frames: list[dict[str, Any]] = []

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Throw away what the manager has not exported."""
        for env_id in listed(env_ids, self.num_envs):
            episode = self._episodes.pop(env_id, None)
            if episode is not None:
                episode.discard()

    def record_post_reset(self, env_ids: Any) -> tuple[None, None]:
        """Remember the state in which the episodes begin."""
        state = scene_state(self._env)
        for env_id in listed(env_ids, self.num_envs):
            self._initial_states[env_id] = {path: value[[env_id]] for path, value in state.items()}
        return None, None

    def record_pre_step(self) -> tuple[None, None]:
        """Take the observation and the action of this step, for all environments."""
        if self._env.recorder_manager.cfg.dataset_export_mode != DatasetExportMode.EXPORT_NONE:
            reader = self._reader or self._open()
            # Cameras and actions are buffers that the step overwrites, and the frame is complete only after it.
            batch = {name: value.clone() for name, value in reader.read().items()}
            self._frames = [{name: value[env_id] for name, value in batch.items()} for env_id in range(self.num_envs)]
        return None, None

    def record_post_step(self) -> tuple[None, None]:
        """Add the state after the step, and send the frames on their way."""
        frames, self._frames = self._frames, []
        if frames:
            states = {f"states/{path}": value for path, value in scene_state(self._env).items()}
            states["processed_actions"] = self._processed_actions()
            for env_id, frame in enumerate(frames):
                self._episode(env_id).add(frame, {path: value[env_id] for path, value in states.items()})
        return None, None

    def close(self, file_path: str) -> None:
        """Throw away what was not exported; the environment may be gone already."""
        self.reset(list(self._episodes))

    def _open(self) -> FrameReader:
        """Find out what to record; possible from the first step on, when all buffers are filled."""
        env, cfg = self._env, self.cfg
        name = getattr(getattr(env, "spec", None), "id", None) or getattr(env.cfg, "env_name", None)
        offer = inspect_env(env, name or type(env).__name__)
        selection = _select(cfg, offer)
        self._schema = StreamSchema(
            selection.features,
            offer.fps,
            EpisodeLayout.of_selection(selection),
            cfg.task_description or offer.description or offer.task,
            codec=cfg.codec,
            robot_type=cfg.robot_type or offer.robot_type,
            overwrite=cfg.overwrite,
            env_name=name,
            env_args=env.recorder_manager.get_ep_meta(),
        )
        self._reader = FrameReader(env, selection)
        return self._reader

    def _episode(self, env_id: int) -> StreamedEpisode:
        """Return the running episode of an environment; begin one if the manager has let go of the last."""
        data = self._env.recorder_manager.get_episode(env_id).data
        episode = self._episodes.get(env_id)
        if episode is not None and data.get(STREAMED) is episode:
            return episode
        if episode is not None:
            episode.discard()
        assert self._schema is not None
        writing = self._handler().begin_episode(self._schema)
        episode = StreamedEpisode(self._schema, writing, self._initial_states.get(env_id, {}))
        self._episodes[env_id] = data[STREAMED] = episode
        return episode

    def _handler(self) -> LeRobotDatasetFileHandler:
        cfg = self._env.recorder_manager.cfg
        path = f"{cfg.dataset_export_dir_path}/{cfg.dataset_filename}"
        handler = open_handler(path)
        if handler is None:
            raise ConfigError(
                f"{dataset_folder(path)} is not open: frames are streamed to LeRobotDatasetFileHandler, and "
                f"dataset_file_handler_class_type is {cfg.dataset_file_handler_class_type.__name__}. Set it to "
                "LeRobotDatasetFileHandler."
            )
        return handler

    def _processed_actions(self) -> Any:
        import torch

        manager = self._env.action_manager
        actions = [to_torch(manager.get_term(name).processed_actions) for name in manager.active_terms]
        return torch.cat(actions, dim=-1).detach().cpu().numpy()


@configclass
class LeRobotRecorderCfg(RecorderTermCfg):  # type: ignore[misc]
    """What :class:`LeRobotRecorder` records; usually set through :class:`.LeRobotRecorderManagerCfg`."""

    class_type: type = LeRobotRecorder

    observation_keys_to_record: list[str] | None = None
    """Observations (``group/term``) recorded as ``observation.<term>``, pictures as ``observation.images.<term>``.
    None, as is ``state_observation_keys``: everything in the policy group."""

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
    state, observations = cfg.state_observation_keys, cfg.observation_keys_to_record
    if state is None and observations is None:
        state, observations = _everything(offer)
    pictures = {term.key for term in offer.terms if term.is_image}
    cameras = cfg.cameras
    if cameras is None and pictures.intersection(observations or ()):
        cameras = []
    values = {"state_keys": state or (), "observation_keys": observations or (), "cameras": cameras}
    try:
        return select(RecordingConfig.from_mapping(values, "recorder configuration"), offer)
    except IsaacLeRobotError as error:
        # The same settings go by Isaac Lab's names here.
        message = re.sub(r"\b(state_keys|observation_keys)\b", lambda found: _OPTIONS[found[0]], str(error))
        raise type(error)(message) from None


def _everything(offer: TaskOffer) -> tuple[list[str], list[str]]:
    """Return the state keys and the other keys of the policy group (of all groups, where there is none)."""
    terms = [term for term in offer.terms if term.key.startswith(f"{_MAIN_GROUP}/")] or list(offer.terms)
    keys = [term.key for term in terms]
    state = [key for key in offer.suggested_state_keys if key in keys]
    return state, [key for key in keys if key not in state]
