"""Somebody closes Isaac Sim while the panel records: an app of its own, as its end takes the process along.

    tests/host/python tests/kit/closing_script.py DATASET WAY

Two episodes of the counter task or more are saved and another is running when the app is asked to end with code 3; then
WAY is gone. The exit code is Kit's, of the fast shutdown that every Isaac Sim app has.
"""

import contextlib
import sys
from collections.abc import Iterator

from host.kit_host import RECORDER, KitHost
from isaac_lerobot.recording import Configure, SessionState
from kit.panel_operator import WINDOW, Operator
from kit.test_guest import COUNTER


def main(dataset: str, way: str) -> int:
    """Run the app until it has ended."""
    settings = {**COUNTER, "dataset": dataset}
    kit = KitHost(app="user", settings={f"/exts/{RECORDER}/{name}": value for name, value in settings.items()})
    import omni.kit.app

    from isaac_lerobot.kit.app import current

    kit.until(current, 30, "the recorder")
    kit.place(WINDOW, 0, 0, 460, 800)
    app, operator = omni.kit.app.get_app(), Operator(kit, current().session)
    operator.look()
    operator.press("load")
    operator.until_state(SessionState.READY)
    operator.press("record")
    operator.until(lambda status: status.counts.saved >= 2 and status.episode_frames > 0)
    match way:
        case "uncancellable":
            app.post_uncancellable_quit(3)
        case "between episodes":
            operator.session.post(Configure({"continuous": False}))
            operator.until_state(SessionState.READY)
            app.post_quit(3)
        case _:
            app.post_quit(3)
            kit.until(lambda: kit.has("recorder.question"), 10, "the question")
            print("asked:", kit.find("recorder.question").text, flush=True)
            operator.until_state(SessionState.PAUSED)
    status = operator.status
    print(f"saved {status.counts.saved} running {status.episode_frames}", flush=True)
    match way:
        case "stay, then keep":
            with insisting(kit):
                operator.press("leave_stay")
            operator.until(lambda status: status.state is SessionState.RECORDING)
            app.post_quit(3)
            operator.until_state(SessionState.PAUSED)
            operator.until(lambda status: not status.counts.saving)
            print(f"saved {operator.status.counts.saved} running {operator.status.episode_frames}", flush=True)
            operator.press("leave_finish")
        case "discard, in a hurry":
            kit.click("recorder.leave_discard")
            app.post_quit(3)
    kit.until(lambda: not kit.running, 60, "the end of the app")
    return kit.shutdown()


@contextlib.contextmanager
def insisting(kit: KitHost) -> Iterator[None]:
    """Want the app closed with each of its updates, for as long as a question is asked."""
    import carb.eventdispatcher
    import omni.kit.app

    def insist(_event: object) -> None:
        if kit.has("recorder.question"):
            omni.kit.app.get_app().post_quit(3)

    subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
        observer_name="somebody", event_name=omni.kit.app.GLOBAL_EVENT_POST_UPDATE, on_event=insist
    )
    yield
    del subscription


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
