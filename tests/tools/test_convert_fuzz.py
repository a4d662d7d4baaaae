"""Whatever a file or a dataset holds, converting it ends with a right dataset or with an error of ours."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isaac_lerobot.app import cli
from isaac_lerobot.dataset import DatasetWriter, check_dataset
from tools.demo_files import demo, write_file

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def convert(source: Path, target: str) -> None:
    """Convert a file that lies alone in its folder, and make sure that nothing else is touched."""
    folder = source.parent
    (folder / "letter.txt").write_text("important")
    before = source.read_bytes() if source.is_file() else b""
    code = cli.main(["convert", str(source), str(folder / target), "--workers", "0"])
    assert code in (0, 1)
    assert (folder / "letter.txt").read_text() == "important"
    assert {path.name for path in folder.iterdir()} <= {source.name, "letter.txt", target}
    if source.is_file():
        assert source.read_bytes() == before
    if (folder / target / "meta" / "info.json").is_file():
        report = check_dataset(folder / target, deep=True)
        assert not report.errors, report.errors
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    demos = [demo(number, 4, pictures=False) for number in range(3)]
    return write_file(tmp_path_factory.mktemp("hdf5") / "in.hdf5", demos, success=[True, False, None], seeds=[1, 2, 3])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("set") / "in"
    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "action": {"dtype": "float32", "shape": (2,), "names": None},
    }
    with DatasetWriter.create(root, 30, features, attributes={"env_name": "Lift", "env_args": {"type": 2}}) as writer:
        for number in range(2):
            episode = writer.begin_episode("lift", attributes={"seed": number, "name": f"demo_{number}"})
            for step in range(3):
                values = np.array([number, step], np.float32)
                episode.add_frame({"observation.state": values, "action": values}, {"states/cube": values})
            episode.save(success=True, arrays={"initial_state/cube": np.zeros((1, 2), np.float32)})
    return root


def copied(source: Path, folder: Path) -> Path:
    copy = shutil.copytree if source.is_dir() else shutil.copyfile
    return Path(copy(source, folder / source.name))


def damaged(path: Path, data: Any) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 0]))]))


@FUZZ
@given(data=st.data())
def test_any_bytes_in_a_file(file, tmp_path_factory, data) -> None:
    copy = copied(file, tmp_path_factory.mktemp("bytes"))
    damaged(copy, data)
    convert(copy, "out")


@FUZZ
@given(data=st.data())
def test_any_bytes_in_a_dataset(dataset, tmp_path_factory, data) -> None:
    copy = copied(dataset, tmp_path_factory.mktemp("bytes"))
    damaged(data.draw(st.sampled_from(sorted(path for path in copy.rglob("*") if path.is_file()))), data)
    convert(copy, "out.hdf5")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.floats()
    | st.sampled_from(["", "f4", "action", "/", "a/../b", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["action", "observation.state", ""]), inner)
    ),
    max_leaves=6,
)


@FUZZ
@given(data=st.data())
def test_any_words_beside_a_dataset(dataset, tmp_path_factory, data) -> None:
    copy = copied(dataset, tmp_path_factory.mktemp("words"))
    name = data.draw(st.sampled_from(["meta/isaac_lerobot.json", "isaac/episodes/chunk-000/episode_000001.json"]))
    content = json.loads((copy / name).read_text())
    keys = ["env_name", "env_args", "episode_data", "seed", "name", "hdf5"]
    place = data.draw(st.sampled_from([content, content.get("attributes", content)]))
    place[data.draw(st.sampled_from(keys))] = data.draw(JSON)
    (copy / name).write_text(json.dumps(content))
    convert(copy, "out.hdf5")


VALUES = st.one_of(
    st.none().map(lambda _: h5py.Empty("f")),
    st.integers(-3, 2**62),
    st.floats(),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    st.sampled_from(
        ["[" * 100_000, '{"env_name": "\\ud800"}', '{"sim_args": 7}', '{"sim_args": {"dt": 0, "decimation": 0}}']
    ),
    st.sampled_from(['{"sim_args": {"dt": NaN, "decimation": 1}}', '{"sim_args": {"dt": 1e-300, "decimation": 1e-9}}']),
    st.binary(max_size=5).map(np.bytes_),
    st.lists(st.integers(-3, 3), max_size=3).map(np.array),
    st.sampled_from([np.array([b"a", b"b"]), np.complex64(1j), np.float16(1), np.array([], np.float32)]),
)


@FUZZ
@given(data=st.data())
def test_any_attributes(file, tmp_path_factory, data) -> None:
    copy = copied(file, tmp_path_factory.mktemp("attributes"))
    with h5py.File(copy, "a") as content:
        for _ in range(data.draw(st.integers(1, 3))):
            place, name = data.draw(
                st.sampled_from([
                    ("/", "format_version"),
                    ("data", "env_args"),
                    ("data/demo_0", "success"),
                    ("data/demo_1", "seed"),
                    ("data/demo_2", "num_samples"),
                    ("data/demo_1", "anything"),
                ])
            )  # fmt: skip
            content[place].attrs[name] = data.draw(VALUES)
    convert(copy, "out")


NUMBERS = ["f2", ">f4", ">i8", "f8", "u1", "u8", "i1", "?", "c8", "g"]
DTYPES = [*NUMBERS, "S3", [("x", "f4")], h5py.string_dtype(), h5py.ref_dtype]
SHAPES = [(), (0,), (4,), (4, 0), (4, 2), (3, 2), (4, 1, 1, 1, 1, 1), (4, 16, 16, 3), (4, 16, 16, 5), (0, 7), (1, 4)]
NEW = ["obs/new", "obs/..", "obs/image", "obs/a.b"]
PLACES = ["actions", "obs/joint_pos", "obs", "states/articulation", "initial_state", *NEW]


@FUZZ
@given(data=st.data())
def test_any_values(file, tmp_path_factory, data) -> None:
    copy = copied(file, tmp_path_factory.mktemp("values"))
    with h5py.File(copy, "a") as content:
        for _ in range(data.draw(st.integers(1, 3))):
            group = content[data.draw(st.sampled_from(["data/demo_0", "data/demo_1", "data/demo_2"]))]
            path = data.draw(st.sampled_from(PLACES))
            with contextlib.suppress(KeyError):
                del group[path]
            with contextlib.suppress(TypeError, ValueError):  # what stands there is no group
                group.create_dataset(path, data.draw(st.sampled_from(SHAPES)), data.draw(st.sampled_from(DTYPES)))
    convert(copy, "out")


def _no_group(content: h5py.File) -> None:
    del content["data"]
    content["data"] = 3.0


def _demo_is_a_number(content: h5py.File) -> None:
    del content["data/demo_1"]
    content["data/demo_1"] = 3.0


def _demo_leads_nowhere(content: h5py.File) -> None:
    content["data/demo_9"] = h5py.SoftLink("/nowhere")


def _demo_is_in_another_file(content: h5py.File) -> None:
    content["data/demo_9"] = h5py.ExternalLink("letter.txt", "/data/demo_0")


def _demo_holds_itself(content: h5py.File) -> None:
    content["data/demo_0/obs/again"] = content["data/demo_0"]


def _values_in_another_file(content: h5py.File) -> None:
    letter = str(Path(content.filename).with_name("letter.txt"))
    content["data/demo_0"].create_dataset("obs/letter", (4, 2), "u1", external=[(letter, 0, 8)])


def _virtual_values(content: h5py.File) -> None:
    virtual = h5py.VirtualLayout((4, 2), "f4")
    virtual[:] = h5py.VirtualSource("letter.txt", "x", (4, 2))
    content["data/demo_0"].create_virtual_dataset("obs/virtual", virtual)


def _more_than_there_is(content: h5py.File) -> None:
    del content["data/demo_0/actions"]
    content["data/demo_0"].create_dataset("actions", (2**40, 7), "f4", chunks=(64, 7))


def _an_initial_state_of_terabytes(content: h5py.File) -> None:
    content["data/demo_0"].create_dataset("initial_state/huge", (2**40,), "f4", chunks=(64,))


def _a_row_of_terabytes(content: h5py.File) -> None:
    content["data/demo_0"].create_dataset("obs/wide", (4, 2**38), "f4", chunks=(1, 64))


def _many_names(content: h5py.File) -> None:
    for name in ("image", "images", "state", "joint_pos.0", "../up", ".", "\u00e9", "a b"):
        with contextlib.suppress(ValueError):
            content["data/demo_0"].create_dataset(f"obs/{name}", (4, 2), "f4")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_group, "has no group 'data'"),
        (_demo_is_a_number, "2 demos converted"),
        (_demo_leads_nowhere, "demo_9 cannot be read"),
        (_demo_is_in_another_file, "demo_9 is in another file"),
        (_demo_holds_itself, "3 demos converted"),
        (_values_in_another_file, "demo_0: the values of obs/letter are in another file"),
        (_virtual_values, "demo_0: the values of obs/virtual are in another file"),
        (_more_than_there_is, "demo_0: actions says that it has 30786325577728 bytes, and 0 are stored"),
        (_an_initial_state_of_terabytes, "demo_0: initial_state/huge says that it has"),
        (_a_row_of_terabytes, "demo_0: obs/wide says that it has"),
        (_many_names, "demos converted"),
    ],
)
def test_hostile_files(file, tmp_path, capsys, change: Callable[[h5py.File], None], said: str) -> None:
    copy = copied(file, tmp_path)
    with h5py.File(copy, "a") as content:
        change(content)
    convert(copy, "out")
    assert said in "".join(capsys.readouterr())
