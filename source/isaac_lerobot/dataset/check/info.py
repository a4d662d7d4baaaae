"""Rules for ``meta/info.json``."""

from __future__ import annotations

from isaac_lerobot.dataset.check.evidence import Evidence, UnavailableError
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, rule
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.json_file import look_into

_INFO = layout.INFO.as_posix()
_NEEDED = ("codebase_version", "fps", "features", "total_episodes", "total_frames", "total_tasks")
_LIMITS = ("chunks_size", "data_files_size_in_mb", "video_files_size_in_mb")
_EXPECTED = (*_LIMITS, "data_path", "video_path", "robot_type", "splits")
_OPTIONAL = ("tools",)
_OLDER = ("meta/tasks.jsonl", "meta/episodes.jsonl", "meta_data", "dataset_info.json", "state.json", "train")


@rule(
    "info-unreadable",
    ERROR,
    "without it there is no dataset. Name the folder that has meta/ in it",
)
def _readable(evidence: Evidence) -> Complaints:
    """`meta/info.json` is there and holds a JSON object."""
    _, error = look_into(evidence.root / layout.INFO)
    if error:
        older = [name for name in _OLDER if (evidence.root / name).exists()]
        yield _INFO, f"it {error}" + (f", and {older[0]} belongs to an older format" if older else "")


@rule("info-version", ERROR, "lerobot 0.4 and later read v3.0 only. lerobot's converter brings a v2.1 dataset to v3.0")
def _version(evidence: Evidence) -> Complaints:
    """`codebase_version` is `"v3.0"`."""
    version = evidence.info.get("codebase_version")
    if version is not None and version != layout.CODEBASE_VERSION:
        yield _INFO, f"codebase_version is {version!r}, not {layout.CODEBASE_VERSION!r}"


@rule("info-key-missing", ERROR, "lerobot does not load it, or counts 0 and fails at the first item")
def _needed_keys(evidence: Evidence) -> Complaints:
    """The version, `fps`, `features` and the three totals are there."""
    for key in _NEEDED:
        if key not in evidence.info:
            yield _INFO, f"it lacks {key!r}"


@rule("info-key-defaulted", WARNING, "lerobot uses its defaults, and merging may refuse")
def _expected_keys(evidence: Evidence) -> Complaints:
    """The limits, paths, `robot_type` and `splits` are there."""
    if missing := [key for key in _EXPECTED if key not in evidence.info]:
        yield _INFO, f"it lacks {shortened(missing, 9)}"


@rule("info-key-unknown", WARNING, "they are lost when lerobot rewrites the file. Keep them in a file of their own")
def _unknown_keys(evidence: Evidence) -> Complaints:
    """All keys are lerobot's own."""
    if unknown := sorted(evidence.info.keys() - {*_NEEDED, *_EXPECTED, *_OPTIONAL}):
        yield _INFO, f"the keys {shortened(unknown)} are not lerobot's"


@rule(
    "info-fps",
    ERROR,
    "frame times and the video's frames no longer agree. Record at a whole number of frames per second",
)
def _fps(evidence: Evidence) -> Complaints:
    """`fps` is a whole number above 0."""
    fps = evidence.info.get("fps", 1)
    if type(fps) is not int or fps <= 0:
        yield _INFO, f"fps is {fps!r}"


def _total(evidence: Evidence, key: str, actual: int, of: str) -> Complaints:
    total = evidence.info.get(key, actual)
    if type(total) is not int or total != actual:
        yield _INFO, f"{key} is {total!r}, and {of} {actual}"


@rule(
    "info-total-episodes",
    ERROR,
    "lerobot asks the Hub for the missing ones, or resumes at the wrong episode. Run `isaac-lerobot recover`",
)
def _total_episodes(evidence: Evidence) -> Complaints:
    """`total_episodes` is the number of rows of the episode table."""
    files = evidence.episode_files
    return _total(evidence, "total_episodes", evidence.num_episodes if files else 0, "the episode table's rows are")


@rule(
    "info-empty",
    ERROR,
    "lerobot takes an empty dataset for a missing one and asks the Hub. Record into it, or remove the folder",
)
def _no_episodes(evidence: Evidence) -> Complaints:
    """There is at least one episode."""
    if evidence.info.get("total_episodes") == 0:
        yield _INFO, "there is no episode"


@rule("info-total-frames", ERROR, "lerobot takes it for the length without a word. Run `isaac-lerobot recover`")
def _total_frames(evidence: Evidence) -> Complaints:
    """`total_frames` is the number of rows in the data files."""
    files = evidence.data_files
    return _total(evidence, "total_frames", evidence.num_rows if files else 0, "the data files' rows are")


@rule("info-total-tasks", ERROR, "at 0 lerobot loads no tasks and every item fails")
def _total_tasks(evidence: Evidence) -> Complaints:
    """`total_tasks` is the number of rows of `meta/tasks.parquet`."""
    try:
        rows = evidence.tasks.num_rows
    except UnavailableError:
        if evidence.info.get("total_tasks"):
            raise
        rows = 0
    return _total(evidence, "total_tasks", rows, "the rows of meta/tasks.parquet are")


@rule("info-path", ERROR, "lerobot finds no files, or its merging, which knows the standard one only, does not")
def _paths(evidence: Evidence) -> Complaints:
    """`data_path` and `video_path` are the standard ones (`video_path` null without videos)."""
    for key, standard in (("data_path", layout.DATA_PATH), ("video_path", layout.VIDEO_PATH)):
        template = evidence.info.get(key, standard)
        if key == "video_path" and template is None and not evidence.cameras:
            continue
        if template != standard:
            yield _INFO, f"{key} is {template!r}, not {standard!r}"


@rule("info-splits", WARNING, "tools that go by splits use other episodes than there are")
def _splits(evidence: Evidence) -> Complaints:
    """`splits` is `{"train": "0:<total_episodes>"}`."""
    splits, total = evidence.info.get("splits"), evidence.info.get("total_episodes")
    if splits is not None and total and (not isinstance(splits, dict) or splits.get("train") != f"0:{total}"):
        yield _INFO, f"splits is {splits!r}, and the dataset's episodes are 0:{total}"


@rule("info-limits", ERROR, "lerobot cannot append to the dataset")
def _limits(evidence: Evidence) -> Complaints:
    """`chunks_size` and the file size limits are above 0."""
    for key in _LIMITS:
        value = evidence.info.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield _INFO, f"{key} is {value!r}, not a number above 0"
