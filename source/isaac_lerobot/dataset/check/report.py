"""What a check found: findings, and the report that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How bad a finding is.

    An *error* makes a reader fail or, worse, read something wrong. A *warning* is read correctly, and loses
    something in some tool or for some people.
    """

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a dataset.

    Attributes:
        severity: Error or warning.
        code: The broken rule's code, as in ``docs/checking.md``.
        where: The file, feature or episode, relative to the dataset's folder.
        message: What is wrong, and what follows from it.
    """

    severity: Severity
    code: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.where}: {self.message}"


@dataclass
class Report:
    """The result of a check.

    Attributes:
        root: The dataset's folder.
        findings: Everything wrong, in the order of the rules.
        checked: Number of rules that could be judged.
        skipped: Code of each rule that could not be judged, and why; another finding names the cause.
    """

    root: Path
    findings: list[Finding] = field(default_factory=list)
    checked: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error. Warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that are warnings."""
        return [finding for finding in self.findings if finding.severity is Severity.WARNING]

    @property
    def codes(self) -> set[str]:
        """Codes of all findings."""
        return {finding.code for finding in self.findings}

    def text(self) -> str:
        """The report for people: a line per finding, errors first, and a summary as the last line."""
        lines = [str(finding) for finding in (*self.errors, *self.warnings)]
        if self.skipped:
            causes = "; ".join(dict.fromkeys(self.skipped.values()))
            lines.append(f"{_count(len(self.skipped), 'rule')} not judged: {causes}.")
        verdict = f"{_count(len(self.errors), 'error')}, {_count(len(self.warnings), 'warning')}"
        return "\n".join([*lines, f"{self.root}: {verdict}, {_count(self.checked, 'rule')} checked."])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def shortened(items: Iterable[object], limit: int = 5) -> str:
    """The items as a list for a message, cut after ``limit`` of them."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
