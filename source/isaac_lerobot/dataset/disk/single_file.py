"""Single file: one file of a dataset replaced in one durable step, by way of the staging folder. Needs the lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import layout, tables


def replace_json(root: Path, path: Path, content: object) -> None:
    """Replace the JSON file at ``path`` inside the dataset.

    Raises:
        OSError: It could not be; the file is as it was.
    """
    staged = _staged(root, path)
    durable.write_json(staged, content)
    _publish(root, staged, path)


def replace_parquet(root: Path, path: Path, content: Sequence[pa.Table], schema: pa.Schema) -> None:
    """Replace the parquet file at ``path`` inside the dataset; each table of ``content`` becomes a row group.

    Raises:
        OSError: It could not be; the file is as it was.
    """
    staged = _staged(root, path)
    tables.write_parquet(staged, content, schema)
    durable.sync_file(staged)
    _publish(root, staged, path)


def _staged(root: Path, path: Path) -> Path:
    durable.make_folder(root / layout.STAGING)
    return root / layout.STAGING / path.name


def _publish(root: Path, staged: Path, path: Path) -> None:
    durable.replace(staged, root / path)
    durable.sync_folder((root / path).parent)
