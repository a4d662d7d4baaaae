"""Arrow arrays made from Python values."""

from pathlib import Path

import pyarrow as pa

from isaac_lerobot.dataset.format.columns import python_array


def anonymous_memory() -> int:
    """Memory of this process that is not of files [kB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_nested_lists_and_nulls():
    kind = pa.list_(pa.list_(pa.float64()))
    values = [[[1.0, 2.0], []], None, [[3.0]]]
    assert python_array(kind, values).to_pylist() == values


def test_making_lists_does_not_cost_memory_for_good():
    """A thousand episodes make 100,000 of these; ``np.cumsum(…, out=…)`` lost 250 bytes at each."""
    kind = pa.list_(pa.float64())
    for _ in range(2_000):
        python_array(kind, [[1.0, 2.0]])
    before = anonymous_memory()
    for _ in range(40_000):
        python_array(kind, [[1.0, 2.0]])
    assert anonymous_memory() - before < 2_000
