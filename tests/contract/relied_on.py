"""The list of what the recorder relies on, as rows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contract import sources

LITERAL = ("settings", "builtins", "extensions")
"""Sections whose names are literals in a source, and not names of a module."""

_FILES = (".kit", ".toml", ".h")

LIST = Path(__file__).with_name("relied_on.toml")


@dataclass(frozen=True)
class Row:
    """One name that the recorder relies on.

    Attributes:
        module: The module it belongs to, or a section out of :data:`LITERAL`.
        name: The name within it.
        parameters: What a function is called with, None where that does not matter.
        used_by: Where it is to be seen, if not in the module's own source.
        why: What for.
    """

    module: str
    name: str
    parameters: tuple[str, ...] | None
    used_by: str
    why: str

    def __str__(self) -> str:
        parameters = "" if self.parameters is None else f"({', '.join(self.parameters)})"
        return f"{self.module}:{self.name}{parameters}"

    @property
    def source(self) -> str:
        """The real source that shows it, as a path within its package."""
        if self.used_by:
            return self.used_by if self.used_by.endswith(_FILES) else sources.where(self.used_by)
        return sources.where(sources.find(self.module, self.name).module)

    def problem(self) -> str:
        """Return what is wrong with it in the real source; empty if nothing is."""
        try:
            if self.module in LITERAL or self.used_by:
                last = self.name if self.module in LITERAL else self.name.rpartition(".")[2]
                return "" if sources.mentions(self.used_by, last) else f"{self.used_by} does not have it"
            definition = sources.find(self.module, self.name)
        except sources.MissingError as missing:
            return str(missing)
        return "" if self.parameters is None else sources.accepts(definition, list(self.parameters))


@cache
def rows() -> tuple[Row, ...]:
    """Return all rows, in the order of the list."""
    return tuple(_rows(LIST.read_text(encoding="utf-8")))


def _rows(text: str) -> Iterator[Row]:
    for module, names in tomllib.loads(text).items():
        for key, value in names.items():
            used_by, why = ("", value) if isinstance(value, str) else value
            for name, parameters in re.findall(r"([\w./-]+)(\([^)]*\))?", key):
                given = tuple(re.findall(r"\w+", parameters)) if parameters else None
                yield Row(module, name, given, used_by, why)
