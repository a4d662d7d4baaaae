"""Any JSON at any place of a file, for hypothesis."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.floats()
    | st.sampled_from(["", "video", "float32", "v3.0", "\ud800", "../x", "{0}", "0:1", "h264"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["dtype", "shape", "min", "x"]), inner),
    max_leaves=5,
)


def put_any_json(path: Path, data: st.DataObject) -> None:
    """Put anything at all somewhere into a JSON file, or in its whole content's place."""
    content = json.loads(path.read_text())
    place, keys = content, []
    while isinstance(place, dict) and place and data.draw(st.booleans()):
        keys.append(data.draw(st.sampled_from(sorted(place))))
        place = place[keys[-1]]
    value, place = data.draw(JSON), content
    for key in keys[:-1]:
        place = place[key]
    if keys:
        place[keys[-1]] = value
    else:
        content = value
    path.write_text(json.dumps(content))
