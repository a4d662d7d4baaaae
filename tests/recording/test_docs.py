"""What the documents point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILES = [file.as_posix() for part in ("source", "tests", "docs", "config") for file in (ROOT / part).rglob("*.*")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_are_there(document):
    """``isaaclab/…``, ``omni/…`` and the like are not ours; a name without a folder may be anybody's."""
    named = re.findall(r"`((?:\w[\w.]*/)+[\w.]+\.(?:py|md|toml|in|lock))`", document.read_text(encoding="utf-8"))
    ours = [name for name in named if not name.startswith(("isaaclab", "isaacsim", "omni", "carb", "meta/"))]
    assert [name for name in ours if not any(file.endswith(f"/{name}") for file in FILES)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(document):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []
