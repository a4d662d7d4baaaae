"""Tasks: ``meta/tasks.parquet``, the text of each task by its number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import python_array, python_values, read_parquet
from isaac_lerobot.errors import DatasetError


def tasks_table(tasks: Sequence[str]) -> pa.Table:
    """Return ``tasks.parquet``: the text is the pandas index, and row i holds task_index i."""
    text = {"field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    names = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    # Without this key readers return the task as a number, without any error.
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [names | {"metadata": {"encoding": "UTF-8"}}],
        "columns": [{"name": "task_index"} | number, {"name": "task"} | text],
        "attributes": {},
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.3",
    }
    schema = pa.schema(
        [pa.field("task_index", pa.int64()), pa.field("task", pa.string())],
        metadata={b"pandas": json.dumps(pandas).encode()},
    )
    numbers = python_array(pa.int64(), list(range(len(tasks))))
    return pa.Table.from_arrays([numbers, python_array(pa.string(), list(tasks))], schema=schema)


def read_tasks(root: Path) -> list[str]:
    """Read the task texts; position i is task_index i. A dataset without episodes may have no file.

    Raises:
        DatasetError: The file cannot be read, or its row i is not task i (lerobot looks tasks up by row, and writers
            by number: which of the two is meant cannot be told).
    """
    path = root / layout.TASKS
    if not path.exists():
        return []
    table = read_parquet(path)
    name = next((name for name in ("task", "__index_level_0__") if name in table.column_names), None)
    if name is None or "task_index" not in table.column_names:
        raise DatasetError(f"{path} lacks its column 'task' or 'task_index'. Run `isaac-lerobot check`.")
    texts, numbers = python_values(table.column(name)), python_values(table.column("task_index"))
    if numbers != list(range(len(numbers))) or not all(isinstance(text, str) for text in texts):
        raise DatasetError(f"{path}: row i must be the text of task i. Run `isaac-lerobot check` on the dataset.")
    return texts
