"""The check as a whole: whole datasets pass, no damage makes it raise, and its documentation is complete."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.any_json import put_any_json
from dataset.damaged_dataset import FRONT, DamagedDataset
from dataset.recordings import FEATURES, record
from dataset.reference_datasets import lerobot_datasets  # noqa: F401
from isaac_lerobot.dataset import DatasetWriter
from isaac_lerobot.dataset.check import RULES, Severity, check_dataset
from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

_DOCS = Path(__file__).parents[2] / "docs" / "checking.md"


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", ["joined", "split"])
def test_lerobots_own_datasets_are_whole(lerobot_datasets: Path, name: str, deep: bool) -> None:  # noqa: F811
    report = check_dataset(lerobot_datasets / name, deep=deep)
    assert report.ok
    assert not report.skipped
    # lerobot joins videos through the system's temporary folder, which leaves them private to their owner.
    assert report.codes <= {"file-private"}


@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize("join", [True, False])
def test_our_own_datasets_are_whole(tmp_path: Path, codec: str, join: bool) -> None:
    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "action": {"dtype": "float32", "shape": (1,)},
        FRONT: {"dtype": "video", "shape": (48, 64, 3)},
        "observation.images.still": {"dtype": "image", "shape": (16, 16, 3)},
        "grid": {"dtype": "float64", "shape": (2, 3)},
        "next.done": {"dtype": "bool", "shape": (1,)},
        "label": {"dtype": "string", "shape": (1,)},
    }
    writer = DatasetWriter.create(tmp_path / "own", 30, features, codec=codec)
    random = np.random.default_rng(0)
    for number, length in enumerate((40, 1, 25)):
        episode = writer.begin_episode(f"Task {number % 2}")
        for frame in range(length):
            episode.add_frame(
                {
                    "observation.state": random.normal(size=2).astype(np.float32),
                    "action": np.array([frame], np.float32),
                    FRONT: np.full((48, 64, 3), 40 * number + frame, np.uint8),
                    "observation.images.still": random.integers(0, 255, (16, 16, 3), dtype=np.uint8),
                    "grid": random.normal(size=(2, 3)),
                    "next.done": np.array([frame == length - 1]),
                    "label": "x",
                }
            )
        episode.save(success=True)
    writer.close(join_files=join)
    report = check_dataset(tmp_path / "own", deep=True)
    assert report.findings == [], report.text()
    assert not report.skipped


def test_a_dataset_without_episodes_lacks_nothing_but_these(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path / "new", 30, {"action": {"dtype": "float32", "shape": (1,)}}):
        shutil.copytree(tmp_path / "new", tmp_path / "killed", ignore=shutil.ignore_patterns(".*"))
    report = check_dataset(tmp_path / "killed", deep=True)
    assert [finding.code for finding in report.findings] == ["info-empty"], report.text()


def test_no_folder_is_a_finding(tmp_path: Path) -> None:
    report = check_dataset(tmp_path / "nowhere")
    assert [finding.code for finding in report.findings] == ["info-unreadable"]
    assert "not judged" in report.text()


@pytest.mark.parametrize("name", ["meta/episodes.jsonl", "dataset_info.json"])
def test_older_formats_are_recognised(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    assert f"{name} belongs to an older format" in check_dataset(tmp_path).findings[0].message


def test_text_puts_errors_first(lerobot_datasets: Path, tmp_path: Path) -> None:  # noqa: F811
    dataset = DamagedDataset(lerobot_datasets / "split", tmp_path / "dataset")
    dataset.info(extra=1, total_tasks=5)
    report = check_dataset(dataset.root)
    assert [finding.severity for finding in report.findings] == [Severity.WARNING, Severity.ERROR]
    assert not report.ok
    lines = report.text().splitlines()
    assert lines[0].startswith("error [info-total-tasks]")
    assert lines[1].startswith("warning [info-key-unknown]")
    assert lines[2].endswith(f": 1 error, 1 warning, {report.checked} rules checked.")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_json_makes_it_raise(lerobot_datasets: Path, tmp_path_factory, data: st.DataObject) -> None:  # noqa: F811
    """Anything at all may stand anywhere in info.json and stats.json."""
    dataset = DamagedDataset(lerobot_datasets / "split", tmp_path_factory.mktemp("fuzz") / "dataset")
    for name in ("meta/info.json", "meta/stats.json"):
        put_any_json(dataset.path(name), data)
    assert check_dataset(dataset.root, deep=True).text()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_make_it_raise(lerobot_datasets: Path, tmp_path_factory, data: st.DataObject) -> None:  # noqa: F811
    """Any file may be cut short or have wrong bytes in it."""
    dataset = DamagedDataset(lerobot_datasets / "split", tmp_path_factory.mktemp("fuzz") / "dataset")
    paths = sorted(path for path in dataset.root.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    assert check_dataset(dataset.root, deep=True).text()


def test_codes_are_unique() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)


def documented_rules() -> str:
    """The table of rules in docs/checking.md; printed by `python -m dataset.test_check` in tests/."""
    lines = ["| code | what must hold | otherwise |", "| --- | --- | --- |"]
    for rule in RULES:
        notes = [note for note, given in (("warning", rule.severity is Severity.WARNING), ("deep", rule.deep)) if given]
        holds = rule.holds + (f" ({', '.join(notes)})" if notes else "")
        lines.append(f"| `{rule.code}` | {holds} | {rule.otherwise}. |")
    return "\n".join(lines) + "\n"


def test_every_rule_is_documented() -> None:
    assert documented_rules() in _DOCS.read_text(encoding="utf-8")


def test_import_is_light() -> None:
    heavy = "{'pandas', 'torch', 'lerobot', 'datasets', 'cv2', 'pydantic', 'tqdm', 'h5py'}"
    code = f"import isaac_lerobot.dataset.check, sys; print(sorted({heavy} & sys.modules.keys()))"
    source = Path(__file__).parents[2] / "source"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=source, check=True)
    assert result.stdout.strip() == "[]"


if __name__ == "__main__":
    print(documented_rules(), end="")


def test_a_deep_check_decodes_each_video_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, log, program = tmp_path / "set", tmp_path / "log", tmp_path / "ffmpeg"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        for episode in range(2):
            record(writer, episode, 3)
            writer.wait()
        writer.close(join_files=False)
    program.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec "{find_ffmpeg()}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    assert check_dataset(root, deep=True).ok
    assert len(log.read_text().splitlines()) == 2


def test_a_report_that_nobody_reads_to_its_end_is_no_error(tmp_path: Path) -> None:
    """As of ``isaac-lerobot check ROOT | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "isaac_lerobot", "check", str(tmp_path)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
