"""A user's script that knows nothing of recording: makes an environment in a Kit app, steps it, closes it.

    tests/host/python tests/kit/attached_script.py DATASET

The extension is enabled with ``attach=true``, as ``--kit_args`` would do it.
"""

import sys

from host.kit_host import RECORDER, KitHost


def main(dataset: str) -> int:
    """Run the script; the exit code is Kit's."""
    settings = {"attach": True, "dataset": dataset, "state_keys": ["policy/step"]}
    kit = KitHost(ui=False, settings={f"/exts/{RECORDER}/{name}": value for name, value in settings.items()})

    import gymnasium
    import isaaclab.envs  # noqa: F401 (what a script has imported before it makes its environment)

    from sim import counter_task

    # Isaac Lab's own launcher and physics update the app while an environment is made.
    kit.update(30)
    cfg = counter_task.CounterEnvCfg()
    env = gymnasium.make(counter_task.TASK_ID, cfg=cfg).unwrapped
    source = counter_task.CounterSource(env)
    env.reset()
    for _ in range(35):
        env.step(source.advance())
        kit.update()
    env.close()
    kit.update(3)

    from isaaclab.utils.datasets import LeRobotDatasetFileHandler  # the extension has registered it

    print(f"registered {LeRobotDatasetFileHandler.__name__}", flush=True)
    return kit.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
