"""Own metadata: ``meta/isaac_lerobot.json``, what we keep of a whole dataset and lerobot has no place for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.json_file import read_json_if_there
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class OwnMetadata:
    """What we keep of a dataset.

    Attributes:
        writer: Who made the dataset, in words.
        attributes: What whoever recorded it wanted to be kept (environment, versions, ...).
        joined: Token of the last joining of files.
        joined_episodes: Number of episodes whose files are joined, or are others' and stay as they are.
        foreign_files: Files that were there when we first appended to others' dataset, and that no episode uses.
        extra: Further keys, which are kept.
    """

    writer: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    joined: str = ""
    joined_episodes: int = 0
    foreign_files: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        content: dict[str, Any] = {"writer": self.writer, "attributes": dict(self.attributes)}
        if self.joined:
            content["joined"] = self.joined
        if self.joined_episodes:
            content["joined_episodes"] = self.joined_episodes
        if self.foreign_files:
            content["foreign_files"] = list(self.foreign_files)
        return content | dict(self.extra)


_KEYS = ("writer", "attributes", "joined", "joined_episodes", "foreign_files")


def read_own(root: Path) -> OwnMetadata:
    """Read what we keep of a dataset; empty where nobody kept anything.

    Raises:
        DatasetError: The file cannot be read.
    """
    path = root / layout.OWN_METADATA
    try:
        content = read_json_if_there(path)
        attributes, number = content.get("attributes", {}), content.get("joined_episodes", 0)
        if not isinstance(attributes, dict) or type(number) is not int:
            raise DatasetError(f"{path} is not of this package.")
    except DatasetError as error:
        raise DatasetError(f"{error} Move it away to go on without what it says.") from error
    return OwnMetadata(
        writer=str(content.get("writer", "")),
        attributes=attributes,
        joined=str(content.get("joined", "")),
        joined_episodes=max(0, number),
        foreign_files=tuple(map(str, content.get("foreign_files") or ())),
        extra={key: value for key, value in content.items() if key not in _KEYS},
    )
