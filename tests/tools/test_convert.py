"""HDF5 files become datasets that hold what the files held, whatever their layout, and whatever interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.dataset.check import check_dataset
from lerobot_reader import LerobotReader
from on_disk import counted_episodes
from tools.demo_files import ENV_ARGS, FPS, HEIGHT, WIDTH, demo, flat, picture, write_file, wxyz
from waiting import until

COMMAND = [sys.executable, "-m", "isaac_lerobot", "convert"]
PICTURE_ERROR = 6.0
"""Mean difference that h264 at the default quality may make on the smooth test pictures [grey levels]."""


def assert_same_demo(reader: DatasetReader, index: int, expected: dict) -> None:
    """Compare an episode with the demo it was made of, as Isaac Lab's names lay it out."""
    episode = reader.episode(index)
    values = flat(expected)
    assert episode.length == len(values["actions"])
    np.testing.assert_array_equal(episode["action"], values["actions"])
    np.testing.assert_array_equal(episode["observation.state"], values["obs/joint_pos"])
    np.testing.assert_array_equal(episode["observation.joint_vel"], values["obs/joint_vel"])
    np.testing.assert_array_equal(episode["observation.gripper"], values["obs/gripper"])
    np.testing.assert_array_equal(episode["observation.grasped"], values["obs/grasped"][:, 0])
    for camera in ("table_cam", "wrist_cam"):
        pictures = np.stack(list(episode.images(f"observation.images.{camera}")))
        difference = np.abs(pictures.astype(int) - values[f"obs/{camera}"])
        assert difference.mean() < PICTURE_ERROR
    kept = episode.sidecar()
    for path, value in values.items():
        if path.startswith("initial_state/"):
            np.testing.assert_array_equal(kept.arrays[path], value)
        elif path.startswith(("states/", "processed_actions")):
            np.testing.assert_array_equal(kept.frames[path], value)


@pytest.mark.parametrize("workers", [0, 2])
def test_every_value_arrives(tmp_path, run, workers):
    demos = [demo(number, 15 + 4 * number) for number in range(4)]
    success = [True, False, None, True]
    source = write_file(tmp_path / "in.hdf5", demos, success=success, seeds=[11, None, 13, 14])
    code, out, _ = run("convert", source, tmp_path / "out", "--workers", str(workers))
    assert (code, out) == (0, f"4 demos converted: {tmp_path / 'out'}\n")

    assert check_dataset(tmp_path / "out", deep=True).ok
    reader = DatasetReader(tmp_path / "out")
    assert reader.fps == FPS
    assert [episode.success for episode in reader] == success
    assert [episode.task for episode in reader] == ["Isaac-Stack-Cube"] * 4
    assert [episode.sidecar().attributes["seed"] for episode in reader] == [11, None, 13, 14]
    assert [episode.sidecar().attributes["source"]["demo"] for episode in reader] == [f"demo_{i}" for i in range(4)]
    for index, expected in enumerate(demos):
        assert_same_demo(reader, index, expected)


def test_the_real_lerobot_reads_it(tmp_path, run):
    demos = [demo(number, 12, mimic=True) for number in range(2)]
    source = write_file(tmp_path / "in.hdf5", demos)
    assert run("convert", source, tmp_path / "out", "--task_description", "Stack the cubes")[0] == 0
    read = LerobotReader().read(tmp_path / "out")
    assert read.lengths == [12, 12]
    assert read.rows(1)["task"] == ["Stack the cubes"] * 12
    np.testing.assert_array_equal(read.rows(1)["action"], demos[1]["actions"])
    assert read.rows(1)["observation.images.table_cam"].shape == (12, HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("version", [None, 0, 1])
def test_quaternions_come_out_as_x_y_z_w(tmp_path, run, version):
    expected = demo(1, 9)
    written = expected if version == 1 else wxyz(expected)
    source = write_file(tmp_path / "in.hdf5", [written], format_version=version)
    assert run("convert", source, tmp_path / "out")[0] == 0
    assert_same_demo(DatasetReader(tmp_path / "out"), 0, expected)


def test_mimics_notes_are_kept_beside_the_dataset(tmp_path, run):
    expected = demo(2, 10, mimic=True)
    assert run("convert", write_file(tmp_path / "in.hdf5", [expected]), tmp_path / "out")[0] == 0
    episode = DatasetReader(tmp_path / "out").episode(0)
    kept = episode.sidecar().frames
    for notes in ("datagen_info", "subtask_terms"):
        for path, value in flat(expected["obs"][notes]).items():
            np.testing.assert_array_equal(kept[f"obs/{notes}/{path}"], value)


def test_observations_that_are_one_vector_become_the_state(tmp_path, run):
    expected = {"actions": np.ones((6, 2), np.float32), "obs": np.arange(18, dtype=np.float32).reshape(6, 3)}
    assert run("convert", write_file(tmp_path / "in.hdf5", [expected]), tmp_path / "out")[0] == 0
    np.testing.assert_array_equal(DatasetReader(tmp_path / "out").episode(0)["observation.state"], expected["obs"])


def test_grouped_observations_and_pictures_elsewhere(tmp_path, run):
    """Groups under ``obs``, grey and RGBA pictures, pictures beside ``obs`` and of one name in two groups."""
    rgba = np.stack([picture(1, row) for row in range(7)])
    rgba = np.concatenate([rgba, np.full((7, HEIGHT, WIDTH, 1), 255, np.uint8)], axis=-1)
    grey = np.stack([picture(2, row, channels=1) for row in range(7)])
    expected = {
        "actions": np.zeros((7, 2), np.float32),
        "obs": {
            "policy": {"joint_pos": np.ones((7, 3), np.float32), "force": np.ones((7, 2), np.float32)},
            "critic": {"force": np.full((7, 4), 2, np.float64), "front": rgba, "side": rgba},
        },
        "camera_obs": {"robot_pov": grey, "side": grey},
    }
    assert run("convert", write_file(tmp_path / "in.hdf5", [expected]), tmp_path / "out")[0] == 0
    reader = DatasetReader(tmp_path / "out")
    names = {name for name in reader.features if name.startswith("observation")}
    assert names == {
        "observation.state",
        "observation.force",
        "observation.images.front",
        "observation.images.critic.side",
        "observation.images.camera_obs.side",
        "observation.images.robot_pov",
    }
    seen = np.stack(list(reader.episode(0).images("observation.images.robot_pov")))
    assert np.abs(seen.astype(int) - grey).mean() < PICTURE_ERROR


def test_keys_choose_as_in_a_recording(tmp_path, run):
    expected = demo(3, 8)
    source = write_file(tmp_path / "in.hdf5", [expected])
    keys = ["--state_keys", "policy/joint_vel", "gripper", "--observation_keys", "obs/joint_pos", "--cameras"]
    assert run("convert", source, tmp_path / "out", *keys, "wrist_cam", "--fps", "15")[0] == 0
    reader = DatasetReader(tmp_path / "out")
    assert reader.fps == 15
    assert {name for name in reader.features if name.startswith(("obs", "act"))} == {
        "observation.state",
        "observation.joint_pos",
        "observation.images.wrist_cam",
        "action",
    }
    obs = expected["obs"]
    state = np.concatenate([obs["joint_vel"], obs["gripper"][:, None]], axis=1)
    np.testing.assert_array_equal(reader.episode(0)["observation.state"], state)
    assert reader.features["observation.state"].names[8:] == ("joint_vel.8", "gripper")
    assert not [name for name in reader.episode(0).sidecar().frames if name.startswith("obs/")]


def test_success_only_and_several_files(tmp_path, run):
    first = write_file(tmp_path / "a.hdf5", [demo(i, 5) for i in range(3)], success=[True, False, None])
    second = write_file(tmp_path / "b.hdf5", [demo(i + 5, 6) for i in range(2)], success=[True, True])
    code, out, _ = run("convert", first, second, tmp_path / "out", "--success-only")
    assert code == 0
    assert out.startswith("3 demos converted, 2 left out as not successful")
    reader = DatasetReader(tmp_path / "out")
    assert [episode.length for episode in reader] == [5, 6, 6]
    assert all(episode.success for episode in reader)


def test_demos_keep_their_natural_order(tmp_path, run):
    names = ["demo_10", "demo_9", "demo_1"]
    source = write_file(tmp_path / "in.hdf5", [demo(i, i + 3, pictures=False) for i in range(3)], names=names)
    assert run("convert", source, tmp_path / "out")[0] == 0
    assert [episode.length for episode in DatasetReader(tmp_path / "out")] == [5, 4, 3]


# ---- what cannot be converted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_demos_that_do_not_fit_do_not_stop_the_others(tmp_path, run, workers):
    narrow = demo(1, 6)
    narrow["obs"]["joint_pos"] = narrow["obs"]["joint_pos"][:, :4]
    cut = demo(2, 6)
    cut["obs"]["table_cam"] = cut["obs"]["table_cam"][:3]
    demos = [demo(0, 6), narrow, cut, {"obs": {}}, demo(4, 7)]
    source = write_file(tmp_path / "in.hdf5", demos)
    code, out, err = run("convert", source, tmp_path / "out", "--workers", str(workers))
    assert code == 1
    assert "2 demos converted, 3 could not be converted" in out
    assert "in.hdf5/demo_1: obs/joint_pos has rows of (4,), not of (9,)" in err
    assert "in.hdf5/demo_2: it has no obs/table_cam with 6 rows" in err
    assert "in.hdf5/demo_3: it has no frames" in err
    assert [episode.length for episode in DatasetReader(tmp_path / "out")] == [6, 7]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_demo_does_not_stop_the_others(tmp_path, run, workers):
    source = write_file(tmp_path / "in.hdf5", [demo(i, 20) for i in range(3)])
    with h5py.File(source) as file:
        chunk = file["data/demo_1/obs/wrist_cam"].id.get_chunk_info(1)
    with source.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * min(chunk.size, 64))
    code, _, err = run("convert", source, tmp_path / "out", "--workers", str(workers))
    assert code == 1
    assert "Not converted: in.hdf5/demo_1: obs/wrist_cam cannot be read from row 0 on" in err
    reader = DatasetReader(tmp_path / "out")
    assert [episode.sidecar().attributes["source"]["demo"] for episode in reader] == ["demo_0", "demo_2"]
    assert check_dataset(tmp_path / "out", deep=True).ok


def test_damaged_actions_are_noticed_when_planning(tmp_path, run):
    source = write_file(tmp_path / "in.hdf5", [demo(i, 20, pictures=False) for i in range(2)])
    with h5py.File(source) as file:
        chunk = file["data/demo_0/actions"].id.get_chunk_info(0)
    with source.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * min(chunk.size, 64))
    code, out, err = run("convert", source, tmp_path / "out")
    assert code == 1
    assert "in.hdf5/demo_0: actions cannot be read from row 0 on" in err
    assert out.startswith("1 demos converted, 1 could not be converted")


def test_many_short_demos_do_not_pile_up(tmp_path, run):
    """Shorter than an encoder's ring each: without a limit all of their encoders would run at once."""
    demos = [demo(number, 3) for number in range(12)]
    code, _, _ = run("convert", write_file(tmp_path / "in.hdf5", demos), tmp_path / "out", "--workers", "2")
    assert code == 0
    assert DatasetReader(tmp_path / "out").num_episodes == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--state_keys", "joint_poss"], "state_keys: the episode has no observation 'joint_poss'. Did you mean"),
        (["--state_keys", "table_cam"], "which is a picture"),
        (["--cameras", "front"], "cameras: the episode has no observation 'front'."),
        (["--state_keys", "gripper", "gripper"], "names gripper more than once"),
        (["--observation_keys", "grasp", "subtask_term_signals/grasp"], "would both become"),
    ],
)
def test_wrong_keys_are_answered(tmp_path, run, options, message):
    source = write_file(tmp_path / "in.hdf5", [demo(0, 5, mimic=True)])
    if "would both" in message:
        options = ["--observation_keys", "subtask_terms/grasp", "datagen_info/subtask_term_signals/grasp"]
    code, _, err = run("convert", source, tmp_path / "out", *options)
    assert code == 1
    assert message in err
    assert not (tmp_path / "out").exists()


def test_what_a_user_reads_about_files(tmp_path, run):
    text = tmp_path / "text.hdf5"
    text.write_text("no HDF5")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file.create_group("something")
    silent = write_file(tmp_path / "silent.hdf5", [demo(0, 5)], env_args={"env_name": "A"})
    odd_args = {**ENV_ARGS, "sim_args": {"dt": 0.03, "decimation": 1}}
    odd = write_file(tmp_path / "odd.hdf5", [demo(0, 5)], env_args=odd_args)
    fast = write_file(
        tmp_path / "fast.hdf5", [demo(0, 5)], env_args={**ENV_ARGS, "sim_args": {"dt": 0.01, "decimation": 1}}
    )
    usual = write_file(tmp_path / "usual.hdf5", [demo(0, 5)])
    out = tmp_path / "out"
    for words, message in [
        ([text, out], "cannot be read as an HDF5 file"),
        ([tmp_path / "gone.hdf5", out], "gone.hdf5 does not exist"),
        ([tmp_path / "other.hdf5", out], "it has no group 'data'"),
        ([silent, out], "does not say how many frames it has per second. Give --fps"),
        ([odd, out], "every 0.03 s, which is no whole number of frames per second"),
        ([usual, fast, out], "The files have different frame rates (usual.hdf5: 30, fast.hdf5: 100)"),
        ([usual], "Name what to convert and what to make"),
        ([out, usual, out], "is no HDF5 file"),
    ]:
        code, _, err = run("convert", *words)
        assert code == 1
        assert message in err
    assert not out.exists()
    assert run("convert", silent, out, "--fps", "30")[0] == 0


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("h5py", "Reading and writing HDF5 files needs h5py, which is not installed."),
        ("tqdm", "The progress bar needs tqdm, which is not installed."),
    ],
)
def test_a_missing_package_is_named_with_the_line_to_type(tmp_path, run, monkeypatch, module, message):
    source = write_file(tmp_path / "in.hdf5", [demo(0, 5)])
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = run("convert", source, tmp_path / "out")
    assert code == 1
    assert err == f'isaac-lerobot: {message} Run: {sys.executable} -m pip install "{module}"\n'


# ---- going on --------------------------------------------------------------------------------------------------


def test_a_second_call_converts_only_what_is_new(tmp_path, run):
    first = write_file(tmp_path / "a.hdf5", [demo(i, 5) for i in range(2)])
    assert run("convert", first, tmp_path / "out")[0] == 0
    write_file(first, [demo(i, 5) for i in range(4)])
    # Another file of the same name with other demos of the same names.
    (tmp_path / "sub").mkdir()
    other = write_file(tmp_path / "sub" / "a.hdf5", [demo(9, 8)])
    code, out, _ = run("convert", first, other, tmp_path / "out")
    assert code == 0
    assert out.startswith("3 demos converted, 2 were there already")
    assert [episode.length for episode in DatasetReader(tmp_path / "out")] == [5, 5, 5, 5, 8]
    assert run("convert", first, other, tmp_path / "out")[1].startswith("0 demos converted, 5 were there already")


def test_the_same_actions_with_other_pictures_are_other_demos(tmp_path, run):
    """Demos that were rendered anew, in a file of the same name: what is there already never stands for them."""
    one, two = demo(0, 5), demo(0, 5)
    camera = next(path for path, values in flat(two).items() if values.dtype == np.uint8 and values.ndim == 4)
    flat(two)[camera][:] //= 2
    for name in ("r1", "r2", "r3"):
        (tmp_path / name).mkdir()
    first = write_file(tmp_path / "r1" / "demos.hdf5", [one])
    again = write_file(tmp_path / "r2" / "demos.hdf5", [two])
    equal = write_file(tmp_path / "r3" / "demos.hdf5", [one])
    assert run("convert", first, tmp_path / "out")[1].startswith("1 demo")
    roundabout = tmp_path / "r2" / ".." / "r1" / "demos.hdf5"
    code, out, _ = run("convert", first, roundabout, again, equal, tmp_path / "out")
    assert code == 0
    assert out.startswith("2 demos converted, 1 were there already"), out
    assert len(DatasetReader(tmp_path / "out")) == 3


def test_contradicting_options_are_said_also_where_nothing_is_left_to_do(tmp_path, run):
    source = write_file(tmp_path / "in.hdf5", [demo(0, 5)])
    assert run("convert", source, tmp_path / "out")[0] == 0
    code, _, err = run("convert", source, tmp_path / "out", "--fps", "10", "--codec", "av1")
    assert code == 1
    assert "fps is 10" in err
    assert "av1" in err


def test_other_features_do_not_fit_and_overwriting_has_to_be_asked_for(tmp_path, run):
    source = write_file(tmp_path / "in.hdf5", [demo(0, 5)])
    assert run("convert", source, tmp_path / "out", "--cameras", "table_cam")[0] == 0
    more = write_file(tmp_path / "more.hdf5", [demo(1, 6)])
    code, _, err = run("convert", more, tmp_path / "out")
    assert code == 1
    assert "feature 'observation.images.wrist_cam' is not in the dataset" in err
    assert run("convert", more, tmp_path / "out", "--overwrite")[0] == 0
    assert [episode.length for episode in DatasetReader(tmp_path / "out")] == [6]


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_called_again(tmp_path, run, workers):
    """SIGKILL in the middle: what was saved stays, nothing is converted twice, and the order is the file's."""
    demos = [demo(number, 30 + number) for number in range(6)]
    source, root = write_file(tmp_path / "in.hdf5", demos), tmp_path / "out"
    command = [*COMMAND, str(source), str(root), "--workers", str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: counted_episodes(root) >= 2 or process.poll() is not None)
    # The whole group: as a job that a batch system ends.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    saved = counted_episodes(root)
    assert 2 <= saved < 6

    code, out, _ = run("convert", source, root, "--workers", str(workers))
    assert code == 0
    assert out.startswith(f"{6 - saved} demos converted, {saved} were there already")
    reader = DatasetReader(root)
    assert [episode.length for episode in reader] == [len(one["actions"]) for one in demos]
    for index, expected in enumerate(demos):
        assert_same_demo(reader, index, expected)
    assert check_dataset(root, deep=True).ok


def test_ctrl_c_leaves_a_whole_dataset_and_no_process(tmp_path, run):
    source, root = write_file(tmp_path / "in.hdf5", [demo(i, 60) for i in range(8)]), tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, str(source), str(root), "--workers", "2"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A test run in the background of a shell ignores Ctrl+C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: counted_episodes(root) or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    until(lambda: not _group_lives(process.pid))
    assert 1 <= counted_episodes(root) < 8
    assert check_dataset(root, deep=True).ok
    assert not (root / ".recording").exists()


def _group_lives(group: int) -> bool:
    states = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return any(int(fields[2]) == group and fields[0] != "Z" for fields in states)


# ---- memory ----------------------------------------------------------------------------------------------------

MEASURE = """
import resource, sys
from isaac_lerobot.app.cli import main
code = main(["convert", *sys.argv[1:]])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_a_demo(tmp_path):
    """A demo of 15 MB and one of 150 MB take the same, within a fraction of the longer one's surplus."""
    peaks = []
    for frames in (300, 3000):
        source = tmp_path / f"{frames}.hdf5"
        with h5py.File(source, "w") as file:
            data = file.create_group("data")
            data.attrs["env_args"] = json.dumps(ENV_ARGS)
            group = data.create_group("demo_0")
            group["actions"] = np.zeros((frames, 7), np.float32)
            pictures = group.create_dataset("obs/front", (frames, 128, 128, 3), np.uint8, chunks=(8, 128, 128, 3))
            for row in range(0, frames, 8):
                pictures[row : row + 8] = row % 251
        words = [sys.executable, "-c", MEASURE, str(source), str(tmp_path / str(frames)), "--workers", "0"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        code, peak = done.stdout.splitlines()[-1].split()
        assert code == "0"
        peaks.append(int(peak) / 1024 if sys.platform != "darwin" else int(peak) / 2**20)
    assert peaks[1] - peaks[0] < 50, f"{peaks} MiB"
