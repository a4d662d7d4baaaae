"""Rules for ``meta/tasks.parquet``."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa

from isaac_lerobot.dataset.check.evidence import Evidence, UnavailableError
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, Complaints, rule
from isaac_lerobot.dataset.format import layout

_TASKS = layout.TASKS.as_posix()


@rule("tasks-unreadable", ERROR, "lerobot does not load the dataset. Run `isaac-lerobot salvage`")
def _readable(evidence: Evidence) -> Complaints:
    """`meta/tasks.parquet` is there and readable."""
    if not evidence.info.get("total_tasks") and not (evidence.root / layout.TASKS).exists():
        return
    try:
        _ = evidence.tasks
    except UnavailableError as error:
        yield _TASKS, str(error).removeprefix(f"{_TASKS}: ")


@rule("tasks-columns", ERROR, "no item finds its task")
def _columns(evidence: Evidence) -> Complaints:
    """Its columns are `task_index` (int64) and `task` (text)."""
    types = {field.name: field.type for field in evidence.tasks.schema}
    if types.get("task_index") != pa.int64():
        yield _TASKS, f"task_index is {types.get('task_index', 'missing')}, not int64"
    text = types.get("task", types.get("__index_level_0__"))
    if text is None or not (pa.types.is_string(text) or pa.types.is_large_string(text)):
        yield _TASKS, f"the column of texts, 'task', is {text if text is not None else 'missing'}"


@rule("tasks-pandas-index", ERROR, "lerobot gives a number in place of the task's text, without a word")
def _pandas_index(evidence: Evidence) -> Complaints:
    """Its schema metadata names `task` as the pandas index."""
    metadata = evidence.tasks.schema.metadata or {}
    try:
        index = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns")
    except (ValueError, AttributeError):
        index = None
    if not isinstance(index, list) or len(index) != 1 or index[0] not in ("task", "__index_level_0__"):
        yield _TASKS, f"its schema does not say that 'task' is the pandas index (it says {index!r})"


@rule("tasks-order", ERROR, "lerobot looks tasks up by row and gives another's text, without a word")
def _order(evidence: Evidence) -> Complaints:
    """Row i is task i."""
    if "task_index" in evidence.tasks.column_names:
        indices = evidence.tasks["task_index"].to_pylist()
        if indices != list(range(len(indices))):
            yield _TASKS, f"its rows are the tasks {shortened(indices)}, not 0, 1, 2 ..."


@rule("tasks-unique", ERROR, "lerobot looks tasks up by text when it appends or merges")
def _unique(evidence: Evidence) -> Complaints:
    """No task's text occurs twice."""
    if doubles := sorted(text for text, count in Counter(evidence.task_texts).items() if count > 1):
        yield _TASKS, f"it holds {shortened(map(repr, doubles), 3)} more than once"
