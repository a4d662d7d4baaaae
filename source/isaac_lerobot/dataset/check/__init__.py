"""Finds what is wrong with a LeRobot v3.0 dataset, above all what lerobot reads without a word and reads wrong.

No picture is decoded and no statistic computed unless ``deep`` is asked for: footers, columns of numbers, the episode
table and the boxes of the mp4 files tell almost everything, in seconds.
The rules are in the modules beside this one, and in a table in ``docs/checking.md``.
"""

from __future__ import annotations

from pathlib import Path

from isaac_lerobot.dataset.check import data, episodes, features, files, info, stats, tasks, videos
from isaac_lerobot.dataset.check.evidence import Evidence
from isaac_lerobot.dataset.check.report import Finding, Report, Severity
from isaac_lerobot.dataset.check.rule import Rule

__all__ = ["RULES", "Finding", "Report", "Severity", "check_dataset"]

RULES: tuple[Rule, ...] = tuple(
    rule
    for module in (info, features, tasks, episodes, data, videos, stats, files)
    for rule in vars(module).values()
    if isinstance(rule, Rule)
)
"""Every rule, in the order in which they are judged."""


def check_dataset(root: str | Path, *, deep: bool = False) -> Report:
    """Check the dataset in the folder ``root`` against every rule of the format.

    Args:
        root: The dataset's folder, the one with ``meta/`` in it.
        deep: Read every value and decode every picture, too.

    Returns:
        The report; ``report.ok`` says whether the real lerobot reads the dataset, and reads it right. A folder
        that is missing, or is no dataset at all, is a finding and not an exception.
    """
    evidence, report = Evidence(Path(root)), Report(Path(root))
    for rule in RULES:
        if deep or not rule.deep:
            rule.judge(evidence, report)
    return report
