"""Rules for files as such: what should not be there, and who can read what is."""

from __future__ import annotations

import stat

from isaac_lerobot.dataset.check.evidence import Evidence
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, rule
from isaac_lerobot.dataset.format import layout

_UNFINISHED = (".tmp", ".part", ".temp", ".partial")


@rule(
    "file-leftover", WARNING, "it takes space for nothing, and goes to the Hub too. `isaac-lerobot recover` removes it"
)
def _leftovers(evidence: Evidence) -> Complaints:
    """No unfinished file of a recording is left (`images/`, `tmp*`)."""
    root = evidence.root
    for folder in (root / "images", root / layout.STAGING, root / layout.REPLACED, *sorted(root.glob("tmp*"))):
        files = [folder] if folder.is_file() else layout.files_in(folder)
        if files:
            yield folder.name, f"a recording left {len(files)} unfinished files here ({files[0].name})"
    for path in layout.files_in(root):
        if path.suffix in _UNFINISHED and layout.STAGING.name not in path.relative_to(root).parts:
            yield path.relative_to(root).as_posix(), "it is an unfinished file"


@rule("file-misplaced", ERROR, "lerobot reads it as part of the dataset, or not at all. Move it out")
def _misplaced(evidence: Evidence) -> Complaints:
    """Files lie at `chunk-NNN/file-NNN` of their folder."""
    for folder, suffix in (("data", ".parquet"), ("meta/episodes", ".parquet"), ("videos", ".mp4")):
        below = 3 if folder == "videos" else 2
        for path in layout.files_in(evidence.root / folder):
            parts = path.relative_to(evidence.root / folder).parts
            if path.suffix == suffix and (len(parts) != below or layout.Location.of(path) is None):
                yield path.relative_to(evidence.root).as_posix(), "it is not at chunk-NNN/file-NNN in its folder"


@rule("file-unreadable", ERROR, "lerobot cannot read it. Run `chmod u+r`")
def _unreadable(evidence: Evidence) -> Complaints:
    """The owner may read every file."""
    for path in layout.files_in(evidence.root):
        if not path.stat().st_mode & stat.S_IRUSR:
            yield path.relative_to(evidence.root).as_posix(), f"its mode is {path.stat().st_mode & 0o777:04o}"


@rule(
    "file-private",
    WARNING,
    "training under another account fails. Run `chmod -R a+rX`. lerobot itself leaves joined videos like this",
)
def _private(evidence: Evidence) -> Complaints:
    """Others may read every file."""
    private = [
        path for path in layout.files_in(evidence.root) if not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    ]
    readable = [path.relative_to(evidence.root).as_posix() for path in private if path.stat().st_mode & stat.S_IRUSR]
    if readable:
        yield shortened(readable, 2), "nobody but their owner can read them"
