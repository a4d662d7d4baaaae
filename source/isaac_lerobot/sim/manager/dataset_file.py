"""``DatasetFile``: a dataset that a file handler has open, as an HDF5 file is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isaac_lerobot.dataset import DatasetReader, DatasetWriter, holds_dataset
from isaac_lerobot.dataset.format.features import parse_features
from isaac_lerobot.dataset.format.sidecar import read_attributes
from isaac_lerobot.dataset.write.overwrite import check_usable
from isaac_lerobot.episode_data.layout import LAYOUT, EpisodeLayout
from isaac_lerobot.episode_data.names import NAME, episode_names
from isaac_lerobot.errors import DatasetError
from isaac_lerobot.recording.opening import DatasetSchema, open_dataset
from isaac_lerobot.sim.env.facts import TERMS, package_versions


@dataclass(frozen=True)
class Contents:
    """What an episode needs of the dataset that it goes into.

    Attributes:
        schema: What every episode is like.
        layout: Where the features come from in ``EpisodeData``.
        overwrite: Whether it replaces a dataset that was there before.
        env_args: Facts about the environment that are not known otherwise (JSON), its name among them.
        terms: Facts about the observation terms, see :func:`.term_facts`.
    """

    schema: DatasetSchema
    layout: EpisodeLayout
    overwrite: bool = False
    env_args: Mapping[str, Any] = field(default_factory=dict)
    terms: Mapping[str, Any] = field(default_factory=dict)


class DatasetFile:
    """A dataset to write to, or to read only. Nothing outlives it: the next one that is opened starts afresh.

    Args:
        root: Its folder.
        writer: Writes to a dataset that is there already.
        reader: Reads one; None where it is open for writing.
        overwrite: Whether the first episode replaces a dataset that is there.

    Attributes:
        root: Its folder.
        env_args: Facts about the environment (JSON), kept beside the dataset.
        demo_count: Episodes so far; those given a number of their own do not count, as in Isaac Lab.
    """

    def __init__(
        self,
        root: Path,
        writer: DatasetWriter | None = None,
        reader: DatasetReader | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        self.root = root
        self.env_args: dict[str, Any] = {}
        self.demo_count = 0
        self._writer, self._reader, self._overwrite = writer, reader, overwrite
        self._kept_env_args: dict[str, Any] | None = None
        # A streamed episode says only when it begins whether what was found here is to be replaced.
        self._is_as_found = writer is not None
        self._names: list[str] = []
        if writer is not None or reader is not None:
            self._read_own()

    @classmethod
    def create(cls, root: Path, *, overwrite: bool) -> DatasetFile:
        """Open a folder to record into. A dataset that is there is continued, unless it is to be overwritten.

        Raises:
            DatasetError: The folder holds something else, or another process is writing it.
        """
        if holds_dataset(root) and not overwrite:
            return cls.continued(root)
        if root.exists():
            check_usable(root, overwrite)
        return cls(root, overwrite=overwrite)

    @classmethod
    def continued(cls, root: Path) -> DatasetFile:
        """Open a dataset that is there, to add episodes.

        Raises:
            DatasetError: There is none, or another process is writing it.
        """
        return cls(root, writer=DatasetWriter.append(root))

    @classmethod
    def to_read(cls, root: Path) -> DatasetFile:
        """Open a dataset that is there, to read it.

        Raises:
            DatasetError: There is none.
        """
        return cls(root, reader=DatasetReader(root))

    @property
    def is_for_reading(self) -> bool:
        """Whether it is open for reading only."""
        return self._reader is not None

    @property
    def names(self) -> list[str]:
        """The episodes' names, in their order."""
        return list(self._names)

    @property
    def fps(self) -> int | None:
        """Frames per second of the dataset [1/s]; None as long as there is none."""
        return self._writer.fps if self._writer is not None else None

    def writer_for(self, contents: Contents) -> DatasetWriter:
        """Return what writes an episode; the first one makes the dataset.

        Raises:
            FeatureError: The dataset has other features; lists every difference.
            DatasetError: It cannot be written.
        """
        schema = contents.schema
        if self._writer is not None and contents.overwrite and self._is_as_found:
            self._writer.close()
            self._writer, self._names, self.demo_count = None, [], 0
        self._is_as_found = False
        if self._writer is None:
            is_named = bool(self.env_args.get("env_name"))
            self.env_args |= {
                name: value for name, value in contents.env_args.items() if name != "env_name" or not is_named
            }
            overwrite = self._overwrite or contents.overwrite
            attributes = {
                **self._env_attributes(),
                "versions": package_versions(),
                TERMS: dict(contents.terms),
                LAYOUT: contents.layout.to_json(),
            }
            self._writer = open_dataset(self.root, schema, overwrite=overwrite, attributes=attributes)
            self._kept_env_args = dict(self.env_args)
        else:
            self._writer.check_fits(parse_features(schema.features), schema.fps, self._writer.codec)
        return self._writer

    def episode_attributes(self, name: str, seed: Any) -> dict[str, Any]:
        """Return what is kept of an episode (JSON): what has changed of the environment with it."""
        attributes: dict[str, Any] = {NAME: name, "seed": seed.item() if hasattr(seed, "item") else seed}
        if self._kept_env_args != self.env_args:
            attributes["env_args"] = dict(self.env_args)
        return attributes

    def add_name(self, name: str, *, counts: bool) -> None:
        """Note that an episode was saved."""
        self._names.append(name)
        self.demo_count += counts

    def reader(self) -> DatasetReader:
        """Return a reader of what is on the disk.

        Raises:
            DatasetError: There is no dataset yet.
        """
        return self._reader or DatasetReader(self.root)

    def flush(self) -> None:
        """Wait until every episode is on the disk.

        Raises:
            DatasetError: An episode could not be brought there.
        """
        if self._writer is not None:
            self._writer.wait()

    def close(self) -> None:
        """Complete the dataset.

        Raises:
            DatasetError: An episode could not be brought to disk.
        """
        if self._writer is None:
            return
        try:
            if self._kept_env_args != self.env_args:
                self._writer.update_attributes(self._env_attributes())
        finally:
            self._writer.close()

    def _env_attributes(self) -> dict[str, Any]:
        return {"env_name": self.env_args.get("env_name"), "env_args": dict(self.env_args)}

    def _read_own(self) -> None:
        reader = self.reader()
        kept = reader.attributes.get("attributes", {})
        self.env_args = {**(kept.get("env_args") or {})}
        if kept.get("env_name"):
            self.env_args["env_name"] = kept["env_name"]
        self._kept_env_args = dict(self.env_args)
        self.demo_count = reader.num_episodes
        self._names = episode_names(read_attributes(self.root, index) for index in range(reader.num_episodes))


def need_writable(file: DatasetFile) -> None:
    """Make sure that a dataset may be changed.

    Raises:
        DatasetError: It is open for reading only.
    """
    if file.is_for_reading:
        raise DatasetError(f"{file.root} is open for reading. Open it with mode 'a' to change it.")
