"""A copy of a dataset with handles to damage it by."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

DROP = object()
FRONT = "observation.images.front"


class DamagedDataset:
    def __init__(self, origin: Path, root: Path) -> None:
        self.root = Path(shutil.copytree(origin, root))
        for path in self.root.rglob("*.mp4"):
            path.chmod(0o644)

    # JSON

    def info(self, **changes: Any) -> None:
        self.change_json("meta/info.json", lambda info: _change(info, changes))

    def feature(self, name: str, **changes: Any) -> None:
        self.change_json("meta/info.json", lambda info: _change(info["features"][name], changes))

    def camera_info(self, name: str, **changes: Any) -> None:
        changes = {key.replace("video_", "video."): value for key, value in changes.items()}
        self.change_json("meta/info.json", lambda info: _change(info["features"][name]["info"], changes))

    def add_feature(self, name: str, dtype: str = "float32", shape: tuple[int, ...] = (1,), **more: Any) -> None:
        definition = {"dtype": dtype, "shape": list(shape), "names": None, **more}
        self.change_json("meta/info.json", lambda info: info["features"].update({name: definition}))

    def rename_feature(self, old: str, new: str) -> None:
        """Everywhere, as a recorder would have written it."""
        for path in (self.root / "meta/info.json", self.root / "meta/stats.json"):
            path.write_text(path.read_text().replace(json.dumps(old), json.dumps(new)))
        rename = {old: new} | {f"stats/{old}/{key}": f"stats/{new}/{key}" for key in STATISTICS}
        for path in [*(self.root / "data").rglob("*.parquet"), *(self.root / "meta/episodes").rglob("*.parquet")]:
            table = pq.read_table(path)
            metadata = table.schema.metadata or {}
            metadata = {key: value.replace(old.encode(), new.encode()) for key, value in metadata.items()}
            names = [rename.get(name, name) for name in table.column_names]
            pq.write_table(table.rename_columns(names).replace_schema_metadata(metadata or None), path)

    def stats(self, name: str, **changes: Any) -> None:
        self.change_json("meta/stats.json", lambda stats: _change(stats[name], changes))

    def drop_stats(self, name: str) -> None:
        self.change_json("meta/stats.json", lambda stats: stats.pop(name))

    def change_json(self, name: str, change: Callable[[Any], Any]) -> None:
        content = json.loads((self.root / name).read_text())
        change(content)
        (self.root / name).write_text(json.dumps(content, indent=4))

    # Tables

    def table(self, path: str, change: Callable[[pa.Table], pa.Table]) -> None:
        table = change(pq.read_table(self.root / path))
        pq.write_table(table, self.root / path)

    def rows(self, change: Callable[[pa.Table], pa.Table], file: int = 0) -> None:
        self.table(f"data/chunk-000/file-{file:03d}.parquet", change)

    def episodes(self, change: Callable[[pa.Table], pa.Table], file: int = 0) -> None:
        self.table(f"meta/episodes/chunk-000/file-{file:03d}.parquet", change)

    def tasks(self, change: Callable[[pa.Table], pa.Table]) -> None:
        self.table("meta/tasks.parquet", change)

    # Files

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def video(self, file: int = 0, camera: str = FRONT) -> Path:
        return self.root / f"videos/{camera}/chunk-000/file-{file:03d}.mp4"

    def encode(self, *options: str, frames: int = 6, size: str = "64x48", rate: str = "10", file: int = 0) -> None:
        """Put another video in the place of one."""
        source = f"testsrc=size={size}:rate={rate}"
        command = [find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", source]
        options = options or ("-c:v", "libx264", "-pix_fmt", "yuv420p")
        subprocess.run([*command, *options, "-frames:v", str(frames), str(self.video(file))], check=True)


STATISTICS = ("min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99")


def _change(content: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if value is DROP:
            del content[key]
        else:
            content[key] = value


def cell(name: str, row: int, value: Any) -> Callable[[pa.Table], pa.Table]:
    """A change that puts ``value`` into one cell."""

    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        return column(name, values)(table)

    return change


def column(name: str, values: list[Any] | Callable[[list[Any]], list[Any]], kind: pa.DataType | None = None):
    """A change that replaces a column, its type kept unless another is given."""

    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(name)
        content = values(table[name].to_pylist()) if callable(values) else values
        array = pa.array(content, kind or field.type)
        return table.set_column(table.column_names.index(name), field.with_type(kind or field.type), array)

    return change


def without(name: str) -> Callable[[pa.Table], pa.Table]:
    """A change that drops a column."""
    return lambda table: table.drop_columns([name])


def order(*rows: int) -> Callable[[pa.Table], pa.Table]:
    """A change that puts the rows into another order, or leaves some out."""
    return lambda table: table.take(list(rows))


def truncate(path: Path, keep: float) -> None:
    """Keep a share of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def overwrite(path: Path, at: float, content: bytes) -> None:
    """Write other bytes into a file, behind a share of it."""
    present = bytearray(path.read_bytes())
    start = int(len(present) * at)
    present[start : start + len(content)] = content
    path.write_bytes(bytes(present))
