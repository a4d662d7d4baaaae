"""The command line, from the outside: exit codes, what is printed, and what it does without a simulator."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import isaac_lerobot
from isaac_lerobot.app.cli import main
from isaac_lerobot.dataset import DatasetWriter
from isaac_lerobot.errors import install_line

SOURCE = Path(isaac_lerobot.__file__).parents[1]
ONLY = """
import importlib.abc, sys
ALLOWED = {"isaac_lerobot", *sys.argv.pop(1).split()} | set(sys.stdlib_module_names)
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)
sys.meta_path.insert(0, Refuse())
from isaac_lerobot.app.cli import main
sys.exit(main(sys.argv[1:]))
"""


def only(modules):
    """Begin a command line in a Python that has nothing but these modules."""
    return [sys.executable, "-c", ONLY, modules]


def run(command):
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}, check=False)


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "cubes"
    picture = {"dtype": "video", "shape": (32, 48, 3), "names": ["height", "width", "channels"]}
    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "observation.images.front": picture,
    }
    writer = DatasetWriter.create(root, fps=30, features=features)
    for length in (12, 9):
        episode = writer.begin_episode(task="Pick up the cube")
        for index in range(length):
            values = np.array([index, -index], dtype=np.float32)
            image = np.full((32, 48, 3), 10 * index, dtype=np.uint8)
            episode.add_frame({"observation.state": values, "action": values, "observation.images.front": image})
        episode.save(success=length == 12)
    writer.wait()
    writer.close(join_files=False)
    return root


def test_check_says_what_is_wrong_and_exits_with_1(dataset, capsys):
    assert main(["check", str(dataset)]) == 0
    assert "0 errors" in capsys.readouterr().out
    next((dataset / "data").rglob("*.parquet")).write_bytes(b"no parquet")
    assert main(["check", str(dataset)]) == 1
    assert "data/" in capsys.readouterr().out


def test_salvage_and_merge_say_what_they_did(dataset, tmp_path, capsys):
    assert main(["merge", str(dataset), str(dataset), str(tmp_path / "twice")]) == 0
    assert capsys.readouterr().out.startswith("Merged ")
    assert main(["check", str(tmp_path / "twice")]) == 0
    assert main(["merge", str(dataset), str(tmp_path / "twice")]) == 1
    assert "already holds" in capsys.readouterr().err
    assert main(["salvage", str(dataset), str(tmp_path / "saved")]) == 0
    assert "Saved " in capsys.readouterr().out
    shutil.rmtree(dataset / "data")
    assert main(["salvage", str(dataset), str(tmp_path / "none")]) == 1
    assert "Nothing can be saved" in capsys.readouterr().err


def test_compact_and_recover_say_what_they_did(dataset, capsys):
    leftover = dataset / "data/chunk-001/file-007.parquet"
    leftover.write_bytes(b"half a file")
    assert main(["recover", "--dry_run", str(dataset)]) == 0
    assert "Would:" in capsys.readouterr().out
    assert leftover.exists()
    assert main(["recover", str(dataset)]) == 0
    assert "file-007" in capsys.readouterr().out
    assert not leftover.exists()
    assert main(["compact", str(dataset)]) == 0
    capsys.readouterr()
    assert main(["compact", str(dataset)]) == 0
    assert "Nothing to join" in capsys.readouterr().out
    assert main(["check", "--deep", str(dataset)]) == 0


def test_sheet_draws_a_row_per_episode_and_camera(dataset, tmp_path):
    from PIL import Image

    picture = tmp_path / "out" / "sheet.png"
    assert main(["sheet", str(dataset), str(picture)]) == 0
    with Image.open(picture) as sheet:
        assert len(sheet.getcolors(100_000)) > 10
        assert sheet.height > 2 * 100


def test_a_folder_without_a_dataset_is_a_sentence_not_a_traceback(tmp_path, capsys):
    assert main(["sheet", str(tmp_path), str(tmp_path / "x.png")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("isaac-lerobot: ")
    assert str(tmp_path) in said


@pytest.mark.parametrize("argv", [["check"], ["recover", "--dry_run"], ["compact"]])
def test_dataset_tools_need_numpy_pyarrow_imageio_and_pillow_alone(dataset, argv):
    result = run([*only("numpy pyarrow imageio_ffmpeg imageio PIL"), *argv, str(dataset)])
    assert result.returncode == 0, result.stderr


def test_the_command_line_is_there_where_the_command_is_not_on_the_path():
    result = run([sys.executable, "-m", "isaac_lerobot", "check", "no-such-folder"])
    assert result.returncode == 1
    assert result.stderr.startswith("isaac-lerobot: ")
    assert "no-such-folder" in result.stderr


def test_without_isaac_lab_it_is_said_where_to_get_it():
    result = run([*only("numpy pydantic annotated_types"), "tasks"])
    assert result.returncode == 1
    assert f"Isaac Lab is not installed for {sys.executable}" in result.stderr
    assert "isaaclab.sh -p -m pip install ." in result.stderr
    assert "/source/setup/installation/" in result.stderr


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("/usr/bin/python3", '/usr/bin/python3 -m pip install "imageio[ffmpeg]" "h5py"'),
        (
            "C:/Isaac Sim/kit/python/python.exe",
            '"C:/Isaac Sim/kit/python/python.exe" -m pip install "imageio[ffmpeg]" "h5py"',
        ),
        ("/isaac-sim/kit/kit", './python.sh -m pip install "imageio[ffmpeg]" "h5py"'),
        ("", './python.sh -m pip install "imageio[ffmpeg]" "h5py"'),
    ],
)
def test_a_missing_package_is_installed_for_the_python_that_misses_it(monkeypatch, program, line):
    monkeypatch.setattr(sys, "executable", program)
    assert install_line("imageio[ffmpeg]", "h5py") == line


def test_bad_options_are_one_sentence(capsys):
    assert main(["record", "--preset", "no-such-preset"]) == 1
    assert "no-such-preset" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["record", "--num_demos", "many"])
    assert caught.value.code == 2
    assert "--num_demos" in capsys.readouterr().err


@pytest.mark.parametrize("spelling", ["--dry-run", "--dry_run"])
def test_an_option_may_be_spelled_with_either_dash(dataset, capsys, spelling):
    leftover = dataset / "data/chunk-001/file-007.parquet"
    leftover.write_bytes(b"half a file")
    assert main(["recover", spelling, str(dataset)]) == 0
    assert "Would:" in capsys.readouterr().out


def test_a_word_that_is_no_option_is_refused(dataset, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["check", str(dataset), "physics=newton_mjwarp"])
    assert caught.value.code == 2
    assert "unrecognized arguments: physics=newton_mjwarp" in capsys.readouterr().err
