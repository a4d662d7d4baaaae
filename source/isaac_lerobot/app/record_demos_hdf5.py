"""``record-demos`` without ``--lerobot_format``: HDF5, written by Isaac Lab's own recorder manager and file handler."""

from __future__ import annotations

import argparse
import signal
import time
from types import FrameType
from typing import Any

from isaac_lerobot.app.exit_codes import INTERRUPTED
from isaac_lerobot.app.launcher import run_launched
from isaac_lerobot.app.record_demos_setup import (
    output_file,
    prepare,
    refuse_existing,
    waits_for_start,
    without_cameras,
)
from isaac_lerobot.sim.drive.devices import TeleopEvent, TeleopSource, make_source
from isaac_lerobot.sim.drive.pace import Pace
from isaac_lerobot.sim.env.success import SUCCESS, PatientSuccessTerm

_RENDER_PERIOD = 0.033
"""How long the picture may stand still while the next step is waited for [s]."""


def record_to_hdf5(args: argparse.Namespace, env_cfg: Any, device: str) -> int:
    """Record demonstrations into an HDF5 file; return the exit code.

    Args:
        args: The flags.
        env_cfg: The task's configuration; it is changed.
        device: The teleop device.

    Raises:
        ConfigError: The file is there already.
    """
    path = output_file(args.dataset_file, ".hdf5").absolute()
    refuse_existing(path, args.overwrite)
    prepare(env_cfg, xr=without_cameras(args))
    env_cfg.env_name = args.task
    env_cfg.recorders = _recorders(args.task)
    env_cfg.recorders.dataset_export_dir_path = str(path.parent)
    env_cfg.recorders.dataset_filename = path.stem

    def record() -> int:
        import gymnasium
        from isaaclab.managers import DatasetExportMode

        env_cfg.recorders.dataset_export_mode = DatasetExportMode.EXPORT_SUCCEEDED_ONLY
        env: Any = gymnasium.make(args.task, cfg=env_cfg).unwrapped
        try:
            source = make_source(device, env, task_id=args.task, seed=args.seed)
            try:
                demos = Hdf5Demos(env, source, args, paused=waits_for_start(device, args))
                code = demos.record()
            finally:
                source.close()
        finally:
            env.close()
        print(f"{demos.count} successful demonstrations in {path}", flush=True)
        return code

    return run_launched(env_cfg, args, record)


class Hdf5Demos:
    """Steps an environment whose own recorder manager records, and exports what succeeded.

    Args:
        env: The unwrapped environment, with one env.
        source: Where actions come from.
        args: The flags.
        paused: Whether the operator says when to begin.

    Attributes:
        count: Demonstrations exported.
    """

    def __init__(self, env: Any, source: TeleopSource, args: argparse.Namespace, *, paused: bool) -> None:
        self._env, self._source = env, source
        self._target = args.num_demos
        self._num_success_steps = args.num_success_steps
        self._resets_simulation = args.reset_sim_buffer_each_episode
        self._paused = paused
        self._pace = Pace(args.step_hz)
        has_success_term = SUCCESS in env.termination_manager.active_terms
        self._success_term = PatientSuccessTerm(env) if has_success_term else None
        if self._success_term is None:
            print("The task has no success term: mark successes with the device's key.", flush=True)
        self._interrupted = False
        self.count = 0

    def record(self) -> int:
        """Record until the target is reached or Ctrl+C; return the exit code."""
        previous = signal.signal(signal.SIGINT, self._interrupt)
        try:
            self._reset()
            while not self._interrupted and not 0 < self._target <= self.count:
                self._advance()
        finally:
            signal.signal(signal.SIGINT, previous)
        return INTERRUPTED if self._interrupted else 0

    def _advance(self) -> None:
        """Carry out what the operator asked for, and make at most one step."""
        for event in self._source.events():
            self._carry_out(event)
        if (wait := self._pace.remaining()) > 0:
            time.sleep(min(wait, _RENDER_PERIOD))
            self._env.sim.render()
            return
        action = None if self._paused else self._source.advance()
        self._pace.stepped()
        if action is None:
            self._env.sim.render()
            return
        _, _, terminated, truncated, _ = self._env.step(action)
        if bool(terminated[0]) or bool(truncated[0]):
            # The environment has reset itself, and its recorder manager has let go of a failed episode.
            self._forget_success()
            self._source.reset([0])
        elif self._success_steps() >= self._num_success_steps:
            self._export()

    def _carry_out(self, event: TeleopEvent) -> None:
        if event is TeleopEvent.START:
            self._paused = False
        elif event is TeleopEvent.STOP:
            self._paused = True
        elif event is TeleopEvent.SUCCESS:
            self._export()
        elif event is TeleopEvent.RESET and self._success_steps() > 0:
            print("Manual reset ignored: the task has been solved and is about to be exported.", flush=True)
        else:
            self._reset()

    def _export(self) -> None:
        """Hand the episode to the file as a success, and reset."""
        import torch

        manager = self._env.recorder_manager
        manager.record_pre_reset([0], force_export_or_skip=False)
        manager.set_success_to_episodes([0], torch.tensor([[True]], dtype=torch.bool, device=self._env.device))
        manager.export_episodes([0])
        self.count = manager.exported_successful_episode_count
        print(f"Recorded {self.count} successful demonstrations.", flush=True)
        self._reset()

    def _reset(self) -> None:
        if self._resets_simulation:
            self._env.sim.reset()
        self._env.recorder_manager.reset()
        self._env.reset()
        self._source.reset()
        self._forget_success()

    def _success_steps(self) -> int:
        return 0 if self._success_term is None else int(self._success_term.steps[0])

    def _forget_success(self) -> None:
        if self._success_term is not None:
            self._success_term.forget([0])

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True


def _recorders(task: str) -> Any:
    """Return what to record: what the task brings along for demonstrations, else Isaac Lab's actions and states."""
    from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    from isaac_lerobot.sim.env.tasks import task_kwargs

    entry_point = "demo_recorder_cfg_entry_point"
    return (
        load_cfg_from_registry(task, entry_point)
        if entry_point in task_kwargs(task)
        else ActionStateRecorderManagerCfg()
    )
