"""A user's script that knows nothing of recording: has Isaac Lab launch Kit, makes an environment, steps it, closes it.

With ``--app_is_closed`` somebody closes the app in the middle of an episode, and the script ends as it can.

    tests/host/python tests/kit/attached_script.py --viz kit --kit_args "--enable isaac.lerobot.recorder …"

The extension is enabled with ``attach=true`` and told everything else on Kit's command line.
"""

import argparse

from isaaclab.app import add_launcher_args, launch_simulation


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser()
    add_launcher_args(parser)
    parser.add_argument("--app_is_closed", action="store_true")
    arguments = parser.parse_args()

    from sim import counter_task

    cfg = counter_task.CounterEnvCfg()
    with launch_simulation(cfg, arguments):
        import gymnasium

        env = gymnasium.make(counter_task.TASK_ID, cfg=cfg).unwrapped
        source = counter_task.CounterSource(env)
        env.reset()
        for _ in range(35):
            env.step(source.advance())
        if arguments.app_is_closed:
            import omni.kit.app

            omni.kit.app.get_app().post_uncancellable_quit(0)
            omni.kit.app.get_app().update()
            return
        env.close()

        from isaaclab.utils.datasets import LeRobotDatasetFileHandler  # the extension has registered it

        print(f"registered {LeRobotDatasetFileHandler.__name__}", flush=True)


if __name__ == "__main__":
    main()
