"""A rule of the format: what must hold, what follows when it does not, and how that is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from isaac_lerobot.dataset.check.evidence import Evidence, UnavailableError
from isaac_lerobot.dataset.check.report import Finding, Report, Severity
from isaac_lerobot.errors import first_line

Complaints = Iterable[tuple[str, str]]
"""Pairs of where, and what is wrong there."""

ERROR, WARNING = Severity.ERROR, Severity.WARNING
TOLERANCE = 1e-4
"""By how much a picture's time may differ from a row's, as lerobot's ``tolerance_s`` has it [s]."""
_LIMIT = 10


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        code: Its name in reports.
        severity: What a broken rule is.
        holds: What must be so, in one sentence without a full stop.
        otherwise: What follows if it is not, and what to do, as the second half of a sentence.
        deep: Whether it reads all values or decodes pictures, and runs on request only.
        find: Yields where it is broken, and how.
    """

    code: str
    severity: Severity
    holds: str
    otherwise: str
    deep: bool
    find: Callable[[Evidence], Complaints]

    def judge(self, evidence: Evidence, report: Report) -> None:
        """Add to ``report`` what this rule finds; a rule broken in many places is told for the first few."""
        try:
            complaints = iter(self.find(evidence))
            for where, problem in islice(complaints, _LIMIT):
                report.findings.append(Finding(self.severity, self.code, where, f"{problem}: {self.otherwise}."))
            if more := sum(1 for _ in complaints):
                report.findings.append(Finding(self.severity, self.code, "...", f"{more} more of these."))
            report.checked += 1
        except UnavailableError as missing:
            report.skipped[self.code] = str(missing)
        except (LookupError, TypeError, ValueError, OSError, ArithmeticError, pa.ArrowException) as error:
            # Damage comes in more shapes than rules foresee. What a rule cannot digest is itself a finding.
            reason = f"this cannot be judged ({type(error).__name__}: {first_line(error)})"
            report.findings.append(Finding(self.severity, self.code, "dataset", f"{reason}: {self.otherwise}."))


def rule(
    code: str, severity: Severity, otherwise: str, *, deep: bool = False
) -> Callable[[Callable[[Evidence], Complaints]], Rule]:
    """Make a rule of the decorated function, which finds what breaks it; its docstring says what must hold.

    The arguments are those of :class:`Rule`.
    """
    return lambda find: Rule(code, severity, (find.__doc__ or "").removesuffix("."), otherwise, deep, find)
