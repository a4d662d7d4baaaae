"""JSON files: read with one kind of error for whatever is wrong with one, and values that may become one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isaac_lerobot.errors import DatasetError, first_line

_MOST_BYTES = 64 * 2**20
"""No file of a dataset comes near this; a damaged or hostile one must not fill the memory."""


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file.

    Raises:
        DatasetError: The file is missing, is no JSON, or holds something else.
    """
    content, problem = look_into(path)
    if problem:
        raise DatasetError(f"{path} {problem}.")
    return content


def read_json_if_there(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file; empty where there is none.

    Raises:
        DatasetError: The file is no JSON, or holds something else.
    """
    return read_json(path) if path.exists() else {}


def look_into(path: Path) -> tuple[dict[str, Any], str]:
    """Return the object in a JSON file, or an empty one and what is wrong with the file as a clause about it."""
    try:
        if path.exists() and not path.is_file():
            return {}, "is no file"
        if path.stat().st_size > _MOST_BYTES:
            return {}, f"is larger than {_MOST_BYTES // 2**20} MB"
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "is missing"
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"cannot be read ({first_line(error)})"
    return (value, "") if isinstance(value, dict) else ({}, f"holds a {type(value).__name__}, not an object")


def check_json(values: Mapping[str, Any] | None, what: str) -> None:
    """Make sure that values can be kept as JSON.

    Raises:
        DatasetError: They cannot be.
    """
    try:
        json.dumps(dict(values or {}), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DatasetError(f"The {what} cannot be written as JSON: {error}.") from error
