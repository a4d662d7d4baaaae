"""A system that gives no more handles, threads or memory, and children that are forked while something is recorded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataset.recordings import FEATURES, check_read, frame, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, check_dataset
from isaac_lerobot.errors import DatasetError


@contextlib.contextmanager
def forked(do: Callable[[], object]) -> Iterator[int]:
    """A forked child that does something, ends as a program does, and waits to be killed if it does not end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            do()
            code = 0
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os.write(writing, b"\0")
            if code:
                os._exit(code)
        signal.pause()
    os.close(writing)
    try:
        said = b""
        while not said.endswith(b"\0"):
            said += os.read(reading, 1000) or b"\0"
        assert said == b"\0", said
        yield child
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_saving_does_not_wait_for_a_forked_child_to_end(tmp_path, lerobot):
    """It has a copy of all that is open, the pipes to the encoders and the lock among it."""
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, 30, FEATURES, codec="h264:engine=program")
    episode = writer.begin_episode("do it")
    for number in range(3):
        episode.add_frame(frame(0, number))
    wait_for_encoders(1)
    with forked(lambda: None):
        episode.save()
        saved = threading.Thread(target=writer.close, daemon=True)
        saved.start()
        saved.join(60)
        assert not saved.is_alive()
        DatasetWriter.append(root).close()
    check_read(lerobot.read(root), [(0, 3)])


def wait_for_encoders(number: int) -> None:
    from dataset.test_failures import encoders
    from waiting import until

    until(lambda: len(encoders()) >= number)


def test_a_forked_child_can_neither_end_nor_remove_what_its_parent_records(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        record(writer, 0, 4)
        episode = writer.begin_episode("do it")
        episode.add_frame(frame(1, 0))

        def harm() -> None:
            for refused in (
                lambda: writer.begin_episode("do it"),
                lambda: episode.add_frame(frame(1, 1)),
                episode.save,
                writer.wait,
                lambda: writer.update_attributes({"by": "the child"}),
                lambda: DatasetWriter.append(root),
            ):
                with pytest.raises(DatasetError, match=rf"process {os.getppid()}"):
                    refused()
            episode.discard()
            writer.close()
            assert writer.status.committed_episodes <= 1

        with forked(harm):
            episode.add_frame(frame(1, 1))
            episode.save()
            writer.wait()
    assert check_dataset(root).ok
    check_read(lerobot.read(root), [(0, 4), (1, 2)])


_ENDS = """
import os, sys
from isaac_lerobot.dataset import DatasetWriter
from dataset.recordings import FEATURES, frame, record
writer = DatasetWriter.create(sys.argv[1], 30, FEATURES)
record(writer, 0, 3)
with writer:
    open_one = writer.begin_episode("do it")
    open_one.add_frame(frame(1, 0))
    child = os.fork()
    if child == 0:
        sys.exit(0)  # through `with` and the end of the interpreter
    assert os.waitpid(child, 0)[1] == 0
    open_one.add_frame(frame(1, 1))
    open_one.save()
"""


def test_a_child_that_ends_as_programs_do_costs_its_parent_nothing(tmp_path, lerobot):
    run(_ENDS, tmp_path / "set")
    check_read(lerobot.read(tmp_path / "set"), [(0, 3), (1, 2)])


def run(program: str, root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_HANDLES = """
import os, resource, shutil, sys
from pathlib import Path
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, merge_datasets, recover_dataset
from isaac_lerobot.errors import DatasetError
from dataset.recordings import FEATURES, frame, record

root, other = Path(sys.argv[1]), Path(sys.argv[1] + "-other")
FRONT = "observation.images.front"


def pictures(of):
    return len(list(DatasetReader(of).episode(0).images(FRONT)))


def scarce(left, *tries):
    '''Do what can be done with so many handles; only errors of ours may come.'''
    highest = max(map(int, os.listdir("/proc/self/fd")))
    held = [os.open("/dev/null", os.O_RDONLY)]
    while held[-1] < highest:
        held.append(os.open("/dev/null", os.O_RDONLY))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1 + left, hard))
    failed = 0
    try:
        for one in tries:
            try:
                one()
            except DatasetError as error:
                failed += 1
                assert "open files" in str(error) or "has failed" in str(error) or "cannot go on" in str(error), error
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in held:
            os.close(handle)
    return failed


for at in (root, other):
    with DatasetWriter.create(at, 30, FEATURES) as writer:
        record(writer, 0, 3, attributes={"seed": 1})
assert pictures(root) == 3  # what is loaded late is loaded
failures = []
for left in (0, 1, 2, 4, 8, 16):
    before = len(DatasetReader(root))
    writer = DatasetWriter.append(root)
    record(writer, before, 2)
    writer.wait()
    ready, more = writer.begin_episode("do it"), []
    ready.add_frame(frame(before + 1, 0))
    failures.append(scarce(
        left,
        lambda: more.append(writer.begin_episode("do it")),
        lambda: [one.add_frame(frame(0, 0)) for one in more],
        lambda: (ready.save(), writer.wait()),
        lambda: DatasetReader(other),
        lambda: pictures(other),
        lambda: DatasetWriter.append(other).close(),
        lambda: DatasetWriter.create(str(other) + "-new", 30, FEATURES).close(),
        lambda: recover_dataset(other),
        lambda: merge_datasets([other, other], str(other) + "-merged"),
        writer.close,
    ))
    for episode in (ready, *more):
        episode.discard()
    writer.close()
    recover_dataset(root)
    assert before + 1 <= len(DatasetReader(root)) <= before + 2
    assert pictures(other) == 3
    for made in ("-new", "-merged"):
        shutil.rmtree(str(other) + made, ignore_errors=True)
assert failures[0] > 0, failures

assert failures[-1] == 0, failures
"""


def test_without_handles_there_are_errors_of_ours_and_every_committed_episode(tmp_path, lerobot):
    root = tmp_path / "set"
    run(_HANDLES, root)
    report = check_dataset(root, deep=True)
    assert report.ok, report.text()
    assert check_dataset(tmp_path / "set-other").ok
    assert len(lerobot.read(root).lengths) == len(DatasetReader(root))


_THREADS = """
import resource, sys, threading
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, recover_dataset
from isaac_lerobot.errors import DatasetError
from dataset.recordings import NO_VIDEO, record

root = sys.argv[1]
writer = DatasetWriter.create(root, 30, NO_VIDEO)
record(writer, 0, 3)
writer.close(join_files=False)
# A thread whose stack is more memory than the process may have cannot be started.
room = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 2**31
resource.setrlimit(resource.RLIMIT_AS, (room, room))
usual = threading.stack_size(2**32)
try:
    threading.Thread(target=print).start()
except RuntimeError:
    pass
else:
    raise AssertionError("there are threads")
assert len(DatasetReader(root)) == 1
recover_dataset(root)
writer = DatasetWriter.append(root)
episode = writer.begin_episode("do it")
episode.add_frame({"observation.state": [1.0, 2.0, 3.0], "action": [1.0, 2.0]})
try:
    episode.save()
except DatasetError as error:
    assert "can't start new thread" in str(error), error
else:
    raise AssertionError("it was saved")
threading.stack_size(usual)
assert episode.save() == 1
writer.close()
"""


def test_without_threads_a_dataset_is_opened_and_an_episode_stays_open_until_it_can_be_saved(tmp_path, lerobot):
    run(_THREADS, tmp_path / "set")
    assert lerobot.read(tmp_path / "set").lengths == [3, 1]
