"""``record-demos --lerobot_format``: our own recording, run the way Isaac Lab's script is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from isaac_lerobot.app import script_host
from isaac_lerobot.app.launcher import asked_device, launch_with
from isaac_lerobot.app.record_demos_setup import output_file, prepare, waits_for_start, without_cameras
from isaac_lerobot.recording import (
    Configure,
    ExportRule,
    Pause,
    RecordingConfig,
    Session,
    SessionState,
    TaskOffer,
)
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.sim.drive.driver import Driver

_MAIN_GROUP = "policy"


def record_to_lerobot(args: argparse.Namespace, env_cfg: Any, device: str) -> int:
    """Record demonstrations into a LeRobot dataset; return the exit code.

    Args:
        args: The flags.
        env_cfg: The task's configuration; keys that a script has set on its recorders are taken from there.
        device: The teleop device.
    """
    config = RecordingConfig.from_mapping(
        {
            "task": args.task,
            "task_packages": tuple(args.task_packages),
            "teleop_device": device,
            "device": asked_device(args),
            "seed": args.seed,
            "dataset": output_file(args.dataset_file, ".lerobot"),
            "overwrite": args.overwrite,
            "num_demos": args.num_demos,
            "num_success_steps": args.num_success_steps,
            "step_hz": args.step_hz,
            "export": ExportRule.SUCCEEDED,
            **_chosen(args, env_cfg),
        }
    )
    session = Session(config)
    driver = DemoDriver(session, _launch_prepared(args), reset_simulation=args.reset_sim_buffer_each_episode)
    recording = DemoRecording(session, starts_paused=waits_for_start(device, args))
    return script_host.run(session, driver, recording, sys.stderr)


class DemoDriver(Driver):
    """A driver that resets the simulation, and not only the scene, before each episode.

    Args:
        session: The session to serve.
        launch: As for :class:`.Driver`.
        reset_simulation: Whether to do so.
    """

    def __init__(
        self, session: Session, launch: Callable[[Any], AbstractContextManager[Any]], *, reset_simulation: bool
    ) -> None:
        super().__init__(session, launch)
        self._reset_simulation = reset_simulation

    def reset(self, env_ids: Sequence[int]) -> None:
        """Reset the simulation's buffers, then the environment."""
        if self._reset_simulation and self.env is not None and len(env_ids) > 0:
            self.env.sim.reset()
        super().reset(env_ids)


class DemoRecording(AutomaticRecording):
    """Loads, chooses what to record where nobody did, and starts.

    Args:
        session: A fresh session with its configuration.
        starts_paused: Whether the operator says when to begin.
    """

    def __init__(self, session: Session, *, starts_paused: bool) -> None:
        super().__init__(session)
        self._demos = session
        self._starts_paused = starts_paused
        self._started = False

    def advance(self) -> bool | None:
        """See :meth:`.AutomaticRecording.advance`."""
        status = self._demos.status
        first_ready = not self._started and status.state is SessionState.READY
        if first_ready and status.offer is not None:
            self._demos.post(Configure(default_keys(self._demos.config, status.offer)))
        finished = super().advance()
        if first_ready:
            self._started = True
            if self._starts_paused:
                self._demos.post(Pause())
        return finished


def default_keys(config: RecordingConfig, offer: TaskOffer) -> Mapping[str, Any]:
    """Return changes of the configuration: everything of the policy group, where nobody has named keys."""
    if config.state_keys or config.observation_keys:
        return {}
    vectors = [term.key for term in offer.terms if not term.is_image]
    vectors = [key for key in vectors if key.startswith(f"{_MAIN_GROUP}/")] or vectors
    state = [key for key in offer.suggested_state_keys if key in vectors]
    if not state:
        return {"state_keys": tuple(vectors)}
    return {"state_keys": tuple(state), "observation_keys": tuple(key for key in vectors if key not in state)}


def _chosen(args: argparse.Namespace, env_cfg: Any) -> dict[str, Any]:
    """Return what was chosen by flags, else by the task's recorder configuration."""
    recorders = getattr(env_cfg, "recorders", None)
    state = args.state_keys or getattr(recorders, "state_observation_keys", None) or ()
    others = args.observation_keys or getattr(recorders, "observation_keys_to_record", None) or ()
    description = args.task_description or getattr(recorders, "task_description", None) or ""
    return {
        "state_keys": tuple(state),
        "observation_keys": tuple(others),
        "cameras": None if args.cameras is None else tuple(args.cameras),
        "task_description": description,
    }


def _launch_prepared(args: argparse.Namespace) -> Any:
    """Return a function like ``launch_with``, which prepares the configuration first."""
    launch = launch_with(args)

    def launch_it(env_cfg: Any) -> AbstractContextManager[Any]:
        prepare(env_cfg, xr=without_cameras(args))
        return launch(env_cfg)

    return launch_it
