"""Rules for the feature definitions in ``meta/info.json``."""

from __future__ import annotations

from collections import Counter

from isaac_lerobot.dataset.check.evidence import Evidence
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, rule
from isaac_lerobot.dataset.format.features import BOOKKEEPING, NUMBER_DTYPES, read_feature
from isaac_lerobot.errors import FeatureError

_DTYPES = {*NUMBER_DTYPES, "string", "video", "image", "language"}
# lerobot's configs/video.py: what it can encode again, and the names it gives to what it finds in files.
_CODECS = {
    "av1", "h264", "hevc", "libsvtav1", "libaom-av1", "h264_nvenc", "hevc_nvenc", "h264_vaapi", "h264_qsv",
    "h264_videotoolbox", "hevc_videotoolbox",
}  # fmt: skip
_DEPTH_KEYS = ("depth_unit", "video.depth_min", "video.depth_max", "video.shift", "video.use_log")


def _feature(name: str) -> str:
    return f"feature {name}"


@rule("feature-definition", ERROR, "lerobot does not load the dataset, or fails at its first use")
def _definition(evidence: Evidence) -> Complaints:
    """Every feature has a known `dtype`, a `shape` and `names`."""
    definitions = evidence.info.get("features", {})
    if not isinstance(definitions, dict):
        yield "meta/info.json", f"features is a {type(definitions).__name__}, not an object"
        return
    for name, definition in definitions.items():
        try:
            feature = read_feature(name, definition)
        except FeatureError as error:
            yield _feature(name), str(error)
            continue
        if "names" not in definition:
            yield _feature(name), "it lacks 'names' (null where the elements have none)"
        elif feature.dtype not in _DTYPES:
            yield _feature(name), f"its dtype {feature.dtype!r} is none of lerobot's"


@rule("feature-slash", ERROR, "lerobot separates its statistics columns and folders by it, and refuses the feature")
def _slash(evidence: Evidence) -> Complaints:
    """No feature name contains `/`."""
    for name in evidence.info.get("features", {}):
        if "/" in name:
            yield _feature(name), "its name contains '/'"


@rule("feature-bookkeeping", ERROR, "every item fails without them")
def _bookkeeping(evidence: Evidence) -> Complaints:
    """`timestamp` (float32), `frame_index`, `episode_index`, `index`, `task_index` (int64) are declared, all `[1]`."""
    for name, wanted in BOOKKEEPING.items():
        feature = evidence.features.get(name)
        if feature is None:
            yield _feature(name), "it is not declared"
        elif (feature.dtype, feature.shape) != (wanted.dtype, wanted.shape):
            found = f"{feature.dtype} {list(feature.shape)}"
            yield _feature(name), f"it is {found}, and must be {wanted.dtype} [1]"


@rule("feature-names", WARNING, "curves and joints are labelled wrong")
def _names(evidence: Evidence) -> Complaints:
    """A vector has a name for each element, each name once."""
    for name, feature in evidence.features.items():
        names = feature.names
        if feature.is_number and isinstance(names, tuple) and len(feature.shape) == 1:
            if len(names) != feature.shape[0]:
                yield _feature(name), f"it has {feature.shape[0]} elements and {len(names)} names"
            elif doubles := sorted(item for item, count in Counter(map(str, names)).items() if count > 1):
                yield _feature(name), f"several elements are named {shortened(doubles)}"


@rule("feature-camera-shape", ERROR, "readers take the sizes from it and give pictures of another shape")
def _camera_shape(evidence: Evidence) -> Complaints:
    """A camera's shape is `[H, W, 3]`, or `[H, W, 1]` for depth."""
    for name, feature in evidence.features.items():
        if feature.is_camera and (len(feature.shape) != 3 or feature.shape[2] not in (1, 3)):
            yield _feature(name), f"its shape is {list(feature.shape)}, not [height, width, 3] (or 1 for depth)"
        elif feature.is_camera and feature.is_depth and feature.shape[2] != 1:
            yield _feature(name), f"it is a depth map with {feature.shape[2]} channels"


@rule("feature-camera-names", ERROR, "lerobot's training crashes, or takes the height for the number of channels")
def _camera_names(evidence: Evidence) -> Complaints:
    """A camera's names are `["height", "width", "channels"]`."""
    for name, feature in evidence.features.items():
        names = list(feature.names) if isinstance(feature.names, tuple) else feature.names
        if feature.is_camera and not (
            isinstance(names, list) and len(names) == 3 and names[2] in ("channel", "channels")
        ):
            yield _feature(name), f"its names are {names!r}, not ['height', 'width', 'channels']"


@rule(
    "feature-image-word",
    ERROR,
    "lerobot takes it for a picture in its statistics, and merging or editing fails. Rename it",
)
def _image_word(evidence: Evidence) -> Complaints:
    """Only cameras have `image` in their name."""
    for name, feature in evidence.features.items():
        if "image" in name and not feature.is_camera:
            yield _feature(name), "its name contains 'image', and it is no camera"


@rule("feature-observed-text", ERROR, "reading windows of several frames fails. Name it otherwise")
def _observed_text(evidence: Evidence) -> Complaints:
    """No text feature is named `observation.*`."""
    for name, feature in evidence.features.items():
        if name.startswith("observation.") and feature.dtype in ("string", "language"):
            yield _feature(name), "it is text, and its name starts with 'observation.'"


@rule("feature-action", WARNING, "no policy can be trained on it")
def _action(evidence: Evidence) -> Complaints:
    """There is a feature named `action`."""
    if not any(name.startswith("action") for name in evidence.features):
        yield "meta/info.json", "no feature is named 'action'"


@rule("feature-codec", ERROR, "lerobot-edit-dataset fails when it encodes again. AV1, H.264 and HEVC work")
def _codec(evidence: Evidence) -> Complaints:
    """`video.codec` is one that lerobot can encode."""
    for name, feature in evidence.cameras.items():
        codec = (feature.info or {}).get("video.codec")
        if codec is not None and codec not in _CODECS:
            yield _feature(name), f"its video.codec is {codec!r}"


@rule("feature-camera-info", WARNING, "merging with datasets that have it fails")
def _camera_info(evidence: Evidence) -> Complaints:
    """A video feature has an `info` block."""
    for name, feature in evidence.cameras.items():
        if not feature.info:
            yield _feature(name), "it has no info"


@rule(
    "feature-depth-info",
    WARNING,
    "lerobot decodes with its defaults, which give wrong distances where others were used",
)
def _depth_info(evidence: Evidence) -> Complaints:
    """A depth camera's `info` says its unit and how distances were coded."""
    for name, feature in evidence.cameras.items():
        if feature.is_depth and (missing := [key for key in _DEPTH_KEYS if key not in (feature.info or {})]):
            yield _feature(name), f"its info lacks {shortened(missing)}"
