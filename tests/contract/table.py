"""The table of what the recorder relies on, in docs/isaac-sim.md: ``tests/host/python -m contract.table`` writes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from contract.relied_on import Row, rows
from host.kit_host import ROOT

PAGE = ROOT / "docs" / "isaac-sim.md"
BEGIN, END = "<!-- what we rely on -->\n", "<!-- end of what we rely on -->\n"


def table() -> str:
    """Return the table: names that are there for the same reason share a row."""
    return "".join(f"{line}\n" for line in _lines())


def page_with_table(page: str) -> str:
    """Return the page with the table as it has to be."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def _lines() -> Iterator[str]:
    yield "| where | name | what for | seen in |"
    yield "|---|---|---|---|"
    for (module, why, source), group in itertools.groupby(rows(), key=lambda row: (row.module, row.why, row.source)):
        names = ", ".join(f"`{_shown(row)}`" for row in group)
        yield f"| `{module}` | {names} | {why} | `{source}` |"


def _shown(row: Row) -> str:
    return row.name if row.parameters is None else f"{row.name}({', '.join(row.parameters)})"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
