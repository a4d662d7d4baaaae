"""One damage for each rule: the finding names it, and nothing that is whole is blamed."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataset.damaged_dataset import DROP, FRONT, DamagedDataset, cell, column, order, overwrite, truncate, without
from dataset.reference_datasets import lerobot_datasets  # noqa: F401
from isaac_lerobot.dataset.check import RULES, check_dataset
from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
OPEN_GOPS = "keyint=4:min-keyint=4:scenecut=0:open-gop=1:bframes=3:b-adapt=0:log-level=none"
STATE = "observation.state"


@dataclass(frozen=True)
class Damage:
    """``code`` is what must be found, with ``says`` in its text; ``also`` may be found besides."""

    code: str
    apply: Callable[[DamagedDataset], object]
    says: str
    also: set[str] = field(default_factory=set)
    of: str = "split"
    deep: bool = False


def _twice(d: DamagedDataset) -> None:
    shutil.copy(d.path("data/chunk-000/file-001.parquet"), d.path("data/chunk-000/file-002.parquet"))


def _misplace(d: DamagedDataset) -> None:
    shutil.copy(d.path("data/chunk-000/file-001.parquet"), d.path("data/x.parquet"))


def _metadata(change: Callable[[dict[bytes, bytes]], dict[bytes, bytes]]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.replace_schema_metadata(change(dict(table.schema.metadata or {})))


def _hint(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(metadata: dict[bytes, bytes]) -> dict[bytes, bytes]:
        content = json.loads(metadata[b"huggingface"])
        content["info"]["features"][name] = value
        return {b"huggingface": json.dumps(content).encode()}

    return _metadata(change)


def _add_sound(d: DamagedDataset) -> None:
    d.encode("-f", "lavfi", "-i", "sine=duration=0.6", "-map", "0:v", "-map", "1:a", *X264)


def _swap_cameras(d: DamagedDataset) -> None:
    wrist = d.video(camera="observation.images.wrist")
    d.video().rename(d.path("aside"))
    wrist.rename(d.video())
    d.path("aside").rename(wrist)


def _hide_frames(d: DamagedDataset) -> None:
    d.encode("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", frames=8)
    d.video().rename(d.path("whole.mp4"))
    command = [find_ffmpeg(), "-v", "error", "-ss", "0.2", "-i", str(d.path("whole.mp4")), "-c", "copy", str(d.video())]
    subprocess.run(command, check=True)
    d.path("whole.mp4").unlink()


def _make_private(d: DamagedDataset) -> None:
    d.video().chmod(0o600)


def _delete(name: str) -> Callable[[DamagedDataset], object]:
    return lambda d: d.path(name).unlink()


def _to_list(values: list) -> list:
    return [[value] for value in values]


VIDEO_TIME = f"videos/{FRONT}/from_timestamp"
FRONT_DEPTH = "observation.images.depth"

DAMAGES = [
    # meta/info.json
    Damage("info-unreadable", _delete("meta/info.json"), "is missing"),
    Damage("info-unreadable", lambda d: d.path("meta/info.json").write_text('{"fps": '), "cannot be read"),
    Damage("info-unreadable", lambda d: d.path("meta/info.json").write_text("[]"), "a list, not an object"),
    Damage("info-version", lambda d: d.info(codebase_version="v2.1"), "'v2.1'"),
    Damage("info-key-missing", lambda d: d.info(total_tasks=DROP), "'total_tasks'"),
    Damage("info-key-missing", lambda d: d.info(fps=DROP), "'fps'"),
    Damage("info-key-missing", lambda d: d.info(codebase_version=DROP), "'codebase_version'"),
    Damage("info-key-defaulted", lambda d: d.info(splits=DROP, chunks_size=DROP), "chunks_size, splits"),
    Damage("info-key-unknown", lambda d: d.info(seed=4), "seed"),
    Damage("info-fps", lambda d: d.info(fps=29.97), "29.97"),
    Damage("info-fps", lambda d: d.info(fps=10.0), "10.0", {"video-info"}),
    Damage("info-fps", lambda d: d.info(fps=0), "fps is 0"),
    Damage("info-total-episodes", lambda d: d.info(total_episodes=3), "3, and", {"info-splits"}),
    Damage("info-empty", lambda d: d.info(total_episodes=0), "there is no episode", {"info-total-episodes"}),
    Damage("info-total-frames", lambda d: d.info(total_frames=11), "11, and the data files' rows are 12"),
    Damage("info-total-tasks", lambda d: d.info(total_tasks=0), "0, and"),
    Damage("info-path", lambda d: d.info(data_path="data/{episode_index}.parquet"), "data_path"),
    Damage("info-path", lambda d: d.info(video_path=None), "video_path is None"),
    Damage("info-splits", lambda d: d.info(splits={"train": "0:7"}), "0:7"),
    Damage("info-limits", lambda d: d.info(chunks_size=0), "chunks_size is 0"),
    # Features
    Damage("feature-definition", lambda d: d.feature("action", dtype="float31"), "float31", {"data-huggingface"}),
    Damage("feature-definition", lambda d: d.feature("action", names=DROP), "lacks 'names'"),
    Damage("feature-definition", lambda d: d.info(features=[]), "features is a list"),
    Damage("feature-slash", lambda d: d.rename_feature("action", "action/arm"), "action/arm"),
    Damage(
        "feature-bookkeeping",
        lambda d: d.feature("frame_index", dtype="float32"),
        "float32",
        {"data-type", "data-huggingface"},
    ),
    Damage("feature-names", lambda d: d.feature("action", names=["only one"]), "2 elements and 1 names"),
    Damage("feature-names", lambda d: d.feature("action", names=["same", "same"]), "several elements are named same"),
    Damage(
        "feature-camera-shape",
        lambda d: d.feature(FRONT, shape=[3, 48, 64]),
        "[3, 48, 64]",
        {"video-size", "video-info", "stats-shape"},
    ),
    Damage("feature-camera-names", lambda d: d.feature(FRONT, names=None), "names are None"),
    Damage("feature-camera-names", lambda d: d.feature(FRONT, names=["channels", "height", "width"]), "'width']"),
    Damage("feature-image-word", lambda d: d.rename_feature(STATE, "image_position"), "image_position"),
    Damage("feature-observed-text", lambda d: d.rename_feature("label", "observation.label"), "is text", of="joined"),
    Damage("feature-action", lambda d: d.rename_feature("action", "command"), "'action'"),
    Damage("feature-codec", lambda d: d.camera_info(FRONT, video_codec="vp9"), "'vp9'", {"video-codec"}),
    Damage("feature-camera-info", lambda d: d.feature(FRONT, info=None), "no info"),
    Damage("feature-depth-info", lambda d: d.camera_info(FRONT_DEPTH, depth_unit=DROP), "depth_unit", of="joined"),
    # meta/tasks.parquet
    Damage("tasks-unreadable", _delete("meta/tasks.parquet"), "missing"),
    Damage("tasks-unreadable", lambda d: truncate(d.path("meta/tasks.parquet"), 0.5), "tasks.parquet"),
    Damage("tasks-columns", lambda d: d.tasks(column("task_index", [0], pa.int32())), "int32"),
    Damage("tasks-pandas-index", lambda d: d.tasks(_metadata(lambda _: {})), "it says None"),
    Damage("tasks-order", lambda d: d.tasks(order(1, 0)), "the tasks 1, 0", {"episodes-tasks"}, of="joined"),
    Damage(
        "tasks-unique",
        lambda d: d.tasks(column("task", ["Push the cube"] * 2)),
        "'Push the cube'",
        {"episodes-tasks"},
        of="joined",
    ),
    # meta/episodes
    Damage("episodes-missing", lambda d: shutil.rmtree(d.path("meta/episodes")), "no file", {"info-total-episodes"}),
    Damage(
        "episodes-unreadable", lambda d: truncate(d.path("meta/episodes/chunk-000/file-001.parquet"), 0.9), "file-001"
    ),
    Damage(
        "episodes-column-missing",
        lambda d: d.episodes(without("dataset_from_index"), 1),
        "dataset_from_index",
        {"episodes-schema", "episodes-null"},
    ),
    Damage(
        "episodes-column-missing",
        lambda d: d.episodes(without(f"videos/{FRONT}/to_timestamp")),
        "to_timestamp",
        of="joined",
        also={"video-extra"},
    ),
    Damage("episodes-stats-missing", lambda d: d.episodes(without("stats/action/q50")), "action/q50", of="joined"),
    Damage("episodes-schema", lambda d: d.episodes(lambda table: table.append_column("seed", [[1]]), 1), "differs"),
    Damage("episodes-null", lambda d: d.episodes(cell("tasks", 0, None)), "tasks is empty"),
    Damage(
        "episodes-order",
        lambda d: d.episodes(order(1, 0, 2)),
        "row 0 is episode 1",
        {"episodes-range", "episodes-rows", "episodes-tasks"},
        of="joined",
    ),
    Damage(
        "episodes-order",
        lambda d: d.episodes(order(0, 2)),
        "row 1 is episode 2",
        {"info-total-episodes", "episodes-range", "episodes-rows", "episodes-video-time", "video-frames"},
        of="joined",
    ),
    Damage(
        "episodes-range",
        lambda d: d.episodes(cell("length", 1, 7)),
        "length is 7",
        {"episodes-video-time", "video-frames"},
        of="joined",
    ),
    Damage(
        "episodes-range",
        lambda d: d.episodes(cell("dataset_from_index", 1, 4)),
        "dataset_from_index is 4",
        {"episodes-rows", "episodes-tasks"},
        of="joined",
    ),
    Damage(
        "episodes-rows",
        lambda d: d.rows(column("episode_index", [0] * 6 + [1] * 7 + [2] * 2)),
        "the rows 5 to 13 belong to the episodes 0, 1",
        {"data-frame-index", "data-timestamp"},
        of="joined",
    ),
    Damage(
        "episodes-data-file", lambda d: d.episodes(cell("data/file_index", 0, 0), 1), "are not in", {"data-file-extra"}
    ),
    Damage("episodes-own-file", lambda d: d.episodes(cell("meta/episodes/file_index", 0, 0), 1), "(0, 0)"),
    Damage("episodes-tasks", lambda d: d.episodes(cell("tasks", 0, ["Dance"])), "'Dance'"),
    Damage("episodes-video-time", lambda d: d.episodes(cell(VIDEO_TIME, 1, 0.6)), "+1.0 frames", of="joined"),
    Damage(
        "episodes-video-time",
        lambda d: d.episodes(cell(VIDEO_TIME.replace("from", "to"), 2, 1.4)),
        "1.0 frames",
        of="joined",
    ),
    Damage("episodes-video-grid", lambda d: d.episodes(cell(VIDEO_TIME, 1, 0.501)), "1.0e-03 s", of="joined"),
    # data/
    Damage("data-missing", lambda d: shutil.rmtree(d.path("data")), "no data file", {"info-total-frames"}),
    Damage("data-unreadable", lambda d: truncate(d.path("data/chunk-000/file-001.parquet"), 0.9), "cannot be read"),
    Damage(
        "data-file-extra",
        _twice,
        "6 rows",
        {"info-total-frames", "data-index", "data-frame-index", "data-timestamp", "stats-count"},
    ),
    Damage(
        "data-column-extra",
        lambda d: d.rows(lambda table: table.append_column("secret", pa.array([1] * 6))),
        "secret",
        {"data-huggingface"},
    ),
    Damage("data-column-missing", lambda d: d.rows(without("action"), 1), "action", {"data-huggingface"}),
    Damage("data-type", lambda d: d.rows(column("task_index", [0] * 6, pa.int32())), "int32"),
    Damage("data-type", lambda d: d.rows(column("action", lambda v: v, pa.list_(pa.float64(), 2))), "double"),
    Damage(
        "data-shape",
        lambda d: d.rows(column("action", [[0.0] * 3] * 6, pa.list_(pa.float32(), 3))),
        "[3]",
        {"stats-extent"},
    ),
    Damage(
        "data-shape",
        lambda d: d.rows(column("action", [[0.0] * 3] * 6, pa.list_(pa.float32()))),
        "18 values",
        {"stats-extent", "data-list"},
    ),
    Damage(
        "data-length-one",
        lambda d: d.rows(column("next.reward", _to_list, pa.list_(pa.float32(), 1))),
        "shape is [1]",
        of="joined",
    ),
    Damage("data-list", lambda d: d.rows(column("action", lambda v: v, pa.list_(pa.float32()))), "any length"),
    Damage("data-huggingface-missing", lambda d: d.rows(_metadata(lambda _: {})), "no usable"),
    Damage("data-huggingface", lambda d: d.rows(_hint("secret", {"_type": "Value"})), "secret"),
    Damage("data-huggingface", lambda d: d.rows(_hint("action", {"_type": "Value", "dtype": "int8"})), "int8"),
    Damage("data-null", lambda d: d.rows(cell("next.reward", 3, None)), "1 values are missing", of="joined"),
    Damage(
        "data-index",
        lambda d: d.rows(column("index", list(range(6))), 1),
        "starts again with an episode",
    ),
    Damage(
        "data-episode-index",
        lambda d: d.rows(column("episode_index", [2] * 6), 1),
        "episode 1 of the rows calls itself 2",
        {"episodes-rows"},
    ),
    Damage(
        "data-frame-index",
        lambda d: d.rows(column("frame_index", list(range(1, 7)))),
        "frame_index is 1 in frame 0",
        {"stats-extent"},
    ),
    Damage(
        "data-timestamp",
        lambda d: d.rows(column("timestamp", [1.7e9 + k / 10 for k in range(6)])),
        "time of day",
        {"stats-extent"},
    ),
    Damage(
        "data-timestamp",
        lambda d: d.rows(column("timestamp", [k / 10.1 for k in range(6)])),
        "0.0990",
        {"stats-extent"},
    ),
    Damage(
        "data-task-index", lambda d: d.rows(column("task_index", [1] * 6)), "task_index is 1, and there are 1 tasks"
    ),
    Damage("data-not-finite", lambda d: d.rows(cell("action", 2, [float("nan"), 0])), "1 values"),
    Damage(
        "data-pages",
        lambda d: overwrite(d.path("data/chunk-000/file-000.parquet"), 0.02, bytes(200)),
        "unreadable pages",
        deep=True,
        also={"stats-values", "stats-episode-values"},
    ),
    Damage(
        "data-stills",
        lambda d: d.rows(cell("observation.images.still", 7, {"bytes": b"PNG?", "path": None})),
        "row 7: it cannot be decoded",
        of="joined",
        deep=True,
    ),
    # videos/
    Damage("video-missing", lambda d: d.video(1).unlink(), "episodes 1"),
    Damage("video-extra", lambda d: shutil.copy(d.video(1), d.video(2)), "file-002.mp4"),
    Damage("video-unreadable", lambda d: truncate(d.video(), 0.3), "no moov"),
    Damage("video-unreadable", lambda d: d.video().write_bytes(b""), "no moov"),
    Damage("video-cut-off", lambda d: truncate(d.video(0), 0.9), "frames lie behind its end", of="joined"),
    Damage("video-tracks", _add_sound, "pictures, sound"),
    Damage("video-frames", lambda d: d.encode(frames=5), "5 frames, and its episodes (0) have 6 rows"),
    Damage(
        "video-pts",
        lambda d: d.encode("-vf", "setpts=PTS+1/TB", "-fps_mode", "passthrough", *X264),
        "not at 0",
        {"video-edit-list", "video-rate"},
    ),
    Damage(
        "video-pts",
        lambda d: d.encode("-vf", "setpts=PTS+gte(N\\,3)*0.1/TB", "-fps_mode", "passthrough", *X264),
        "frame 3 is shown at 0.4000 s",
        {"video-rate"},
    ),
    Damage(
        "video-pts-exact",
        lambda d: (
            d.info(fps=7),
            d.camera_info(FRONT, video_fps=7),
            d.encode("-video_track_timescale", "90000", *X264, rate="7"),
        ),
        "90000 Hz",
        {"data-timestamp", "episodes-video-time", "video-pts", "video-rate", "episodes-video-grid"},
    ),
    Damage("video-edit-list", _hide_frames, "hides 2 of its 8 frames", {"video-frames", "video-pts"}),
    Damage("video-rate", lambda d: d.encode(rate="12"), "0.083", {"video-pts"}),
    Damage("video-size", lambda d: d.encode(size="48x64"), "64x48", {"video-differs"}),
    Damage("video-codec", lambda d: d.camera_info(FRONT, video_codec="av1"), "'h264'"),
    Damage("video-pix-fmt", lambda d: d.encode("-c:v", "libx264", "-pix_fmt", "yuv444p"), "yuv444p", {"video-differs"}),
    Damage("video-info", lambda d: d.camera_info(FRONT, video_fps=30, has_audio=True), "video.fps is 30"),
    Damage(
        "video-differs", lambda d: d.encode("-c:v", "libsvtav1", "-g", "2", file=1), "av1, and that of", {"video-codec"}
    ),
    Damage(
        "video-open-gop",
        lambda d: (
            d.encode("-c:v", "libx265", "-x265-params", OPEN_GOPS, "-pix_fmt", "yuv420p"),
            d.camera_info(FRONT, video_codec="hevc"),
        ),
        "open GOPs",
        {"video-codec", "video-differs"},
    ),
    Damage(
        "video-decode",
        lambda d: overwrite(d.video(), 0.36, bytes(200)),
        "cannot be decoded",
        deep=True,
        also={"video-picture"},
    ),
    Damage("video-picture", _swap_cameras, "off its statistics", of="joined", deep=True),
    # meta/stats.json
    Damage("stats-unreadable", _delete("meta/stats.json"), "is missing"),
    Damage("stats-feature-missing", lambda d: d.drop_stats(FRONT), FRONT),
    Damage(
        "stats-feature-unknown", lambda d: d.change_json("meta/stats.json", lambda s: s.update(old=s["action"])), "old"
    ),
    Damage("stats-key-missing", lambda d: d.stats("action", mean=DROP), "lacks mean"),
    Damage("stats-quantiles", lambda d: d.stats("action", q01=DROP, q99=DROP), "q01, q99"),
    Damage("stats-shape", lambda d: d.stats(FRONT, mean=[0.5, 0.5, 0.5]), "[3], not [3, 1, 1]"),
    Damage("stats-shape", lambda d: d.stats("action", count=[6, 6]), "count", {"stats-count"}),
    Damage("stats-not-finite", lambda d: d.stats("action", std=[float("nan"), 1.0]), "std"),
    Damage("stats-order", lambda d: d.stats("action", mean=[9.0, 9.0]), "mean is not between"),
    Damage("stats-order", lambda d: d.stats("action", std=[-1.0, 1.0]), "std is below 0"),
    Damage("stats-image-scale", lambda d: d.stats(FRONT, max=[[[255.0]], [[255.0]], [[255.0]]]), "255"),
    Damage("stats-count", lambda d: d.stats("action", count=[5]), "5, and there are 12 frames"),
    Damage("stats-extent", lambda d: d.stats("action", max=[7.0, 7.0]), "to 7, and the rows"),
    Damage("stats-values", lambda d: d.stats("action", mean=[2.0, 2.0]), "mean differs", deep=True),
    Damage("stats-episode-values", lambda d: d.episodes(cell("stats/action/mean", 0, [2.0, 2.0])), "mean", deep=True),
    # Files
    Damage("file-leftover", lambda d: d.path("images/front/frame-000000.png").write_bytes(b"x"), "1 unfinished"),
    Damage("file-leftover", lambda d: d.path("data/chunk-000/file-002.parquet.tmp").write_bytes(b"x"), "parquet.tmp"),
    Damage("file-misplaced", _misplace, "x.parquet"),
    Damage("file-unreadable", lambda d: d.video().chmod(0o000), "0000"),
    Damage("file-private", _make_private, "nobody but"),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.code}: {damage.says}")
def test_damage_is_named(damage: Damage, lerobot_datasets: Path, tmp_path: Path) -> None:  # noqa: F811
    dataset = DamagedDataset(lerobot_datasets / damage.of, tmp_path / "dataset")
    damage.apply(dataset)
    report = check_dataset(dataset.root, deep=damage.deep)
    messages = [str(finding) for finding in report.findings if finding.code == damage.code]
    assert any(damage.says in message for message in messages), report.text()
    assert report.codes <= {damage.code, *damage.also}, report.text()


def test_every_rule_has_a_damage() -> None:
    # The float32 rules need files of twenty minutes: test_mp4.py builds them from boxes alone.
    assert {rule.code for rule in RULES} - {damage.code for damage in DAMAGES} == {"video-float32", "video-long"}


def test_messages_say_what_follows(lerobot_datasets: Path, tmp_path: Path) -> None:  # noqa: F811
    dataset = DamagedDataset(lerobot_datasets / "split", tmp_path / "dataset")
    dataset.info(total_frames=99)
    (finding,) = check_dataset(dataset.root).findings
    assert re.fullmatch(r"error \[info-total-frames\] meta/info.json: total_frames is 99.*: lerobot.*\.", str(finding))


def test_a_rule_broken_everywhere_is_told_a_few_times(lerobot_datasets: Path, tmp_path: Path) -> None:  # noqa: F811
    dataset = DamagedDataset(lerobot_datasets / "joined", tmp_path / "dataset")
    dataset.change_json("meta/stats.json", lambda stats: [entry.pop("q50") for entry in stats.values()])
    findings = check_dataset(dataset.root).findings
    assert len(findings) == 11
    assert findings[-1].message.startswith("4 more")
    assert np.all([finding.code == "stats-quantiles" for finding in findings])
