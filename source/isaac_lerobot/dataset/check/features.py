"""Rules for the feature definitions in ``meta/info.json``."""

from __future__ import annotations

from isaac_lerobot.dataset.check.evidence import Evidence, is_depth, is_feature
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, WARNING, Complaints, Rule
from isaac_lerobot.dataset.format.features import BOOKKEEPING, NUMBER_DTYPES

_DTYPES = {*NUMBER_DTYPES, "string", "video", "image", "language"}
# lerobot's configs/video.py: what it can encode again, and the names it gives to what it finds in files.
_CODECS = {
    "av1", "h264", "hevc", "libsvtav1", "libaom-av1", "h264_nvenc", "hevc_nvenc", "h264_vaapi", "h264_qsv",
    "h264_videotoolbox", "hevc_videotoolbox",
}  # fmt: skip
_DEPTH_KEYS = ("depth_unit", "video.depth_min", "video.depth_max", "video.shift", "video.use_log")


def _feature(name: str) -> str:
    return f"feature {name}"


def _definition(evidence: Evidence) -> Complaints:
    definitions = evidence.info.get("features", {})
    if not isinstance(definitions, dict):
        yield "meta/info.json", f"features is a {type(definitions).__name__}, not an object"
        return
    for name, definition in definitions.items():
        if not is_feature(definition):
            yield _feature(name), "it needs a dtype (a text) and a shape (a list of whole numbers above 0)"
        elif "names" not in definition:
            yield _feature(name), "it lacks 'names' (null where the elements have none)"
        elif definition["dtype"] not in _DTYPES:
            yield _feature(name), f"its dtype {definition['dtype']!r} is none of lerobot's"


def _slash(evidence: Evidence) -> Complaints:
    for name in evidence.info.get("features", {}):
        if "/" in name:
            yield _feature(name), "its name contains '/'"


def _bookkeeping(evidence: Evidence) -> Complaints:
    for name, wanted in BOOKKEEPING.items():
        feature = evidence.features.get(name)
        if feature is None:
            yield _feature(name), "it is not declared"
        elif (feature.dtype, feature.shape) != (wanted.dtype, wanted.shape):
            found = f"{feature.dtype} {list(feature.shape)}"
            yield _feature(name), f"it is {found}, and must be {wanted.dtype} [1]"


def _names(evidence: Evidence) -> Complaints:
    for name, feature in evidence.features.items():
        names = feature.names
        if feature.is_number and isinstance(names, list) and len(feature.shape) == 1:
            if len(names) != feature.shape[0]:
                yield _feature(name), f"it has {feature.shape[0]} elements and {len(names)} names"
            elif doubles := sorted({str(item) for item in names if names.count(item) > 1}):
                yield _feature(name), f"several elements are named {shortened(doubles)}"


def _camera_shape(evidence: Evidence) -> Complaints:
    for name, feature in evidence.features.items():
        if feature.is_camera and (len(feature.shape) != 3 or feature.shape[2] not in (1, 3)):
            yield _feature(name), f"its shape is {list(feature.shape)}, not [height, width, 3] (or 1 for depth)"
        elif feature.is_camera and is_depth(feature) and feature.shape[2] != 1:
            yield _feature(name), f"it is a depth map with {feature.shape[2]} channels"


def _camera_names(evidence: Evidence) -> Complaints:
    for name, feature in evidence.features.items():
        names = feature.names
        if feature.is_camera and not (
            isinstance(names, list) and len(names) == 3 and names[2] in ("channel", "channels")
        ):
            yield _feature(name), f"its names are {names!r}, not ['height', 'width', 'channels']"


def _image_word(evidence: Evidence) -> Complaints:
    for name, feature in evidence.features.items():
        if "image" in name and not feature.is_camera:
            yield _feature(name), "its name contains 'image', and it is no camera"


def _observed_text(evidence: Evidence) -> Complaints:
    for name, feature in evidence.features.items():
        if name.startswith("observation.") and feature.dtype in ("string", "language"):
            yield _feature(name), "it is text, and its name starts with 'observation.'"


def _action(evidence: Evidence) -> Complaints:
    if not any(name.startswith("action") for name in evidence.features):
        yield "meta/info.json", "no feature is named 'action'"


def _codec(evidence: Evidence) -> Complaints:
    for name, feature in evidence.cameras.items():
        codec = (feature.info or {}).get("video.codec")
        if codec is not None and codec not in _CODECS:
            yield _feature(name), f"its video.codec is {codec!r}"


def _camera_info(evidence: Evidence) -> Complaints:
    for name, feature in evidence.cameras.items():
        if not feature.info:
            yield _feature(name), "it has no info"


def _depth_info(evidence: Evidence) -> Complaints:
    for name, feature in evidence.cameras.items():
        if is_depth(feature) and (missing := [key for key in _DEPTH_KEYS if key not in (feature.info or {})]):
            yield _feature(name), f"its info lacks {shortened(missing)}"


RULES = (
    Rule("feature-definition", ERROR, "Every feature has a known `dtype`, a `shape` and `names`",
         "lerobot does not load the dataset, or fails at its first use", _definition),
    Rule("feature-slash", ERROR, "No feature name contains `/`",
         "lerobot separates its statistics columns and folders by it, and refuses the feature", _slash),
    Rule("feature-bookkeeping", ERROR,
         "`timestamp` (float32), `frame_index`, `episode_index`, `index`, `task_index` (int64) are declared, all `[1]`",
         "every item fails without them", _bookkeeping),
    Rule("feature-names", WARNING, "A vector has a name for each element, each name once",
         "curves and joints are labelled wrong", _names),
    Rule("feature-camera-shape", ERROR, "A camera's shape is `[H, W, 3]`, or `[H, W, 1]` for depth",
         "readers take the sizes from it and give pictures of another shape", _camera_shape),
    Rule("feature-camera-names", ERROR, 'A camera\'s names are `["height", "width", "channels"]`',
         "lerobot's training crashes, or takes the height for the number of channels", _camera_names),
    Rule("feature-image-word", ERROR, "Only cameras have `image` in their name",
         "lerobot takes it for a picture in its statistics, and merging or editing fails. Rename it", _image_word),
    Rule("feature-observed-text", ERROR, "No text feature is named `observation.*`",
         "reading windows of several frames fails. Name it otherwise", _observed_text),
    Rule("feature-action", WARNING, "There is a feature named `action`", "no policy can be trained on it", _action),
    Rule("feature-codec", ERROR, "`video.codec` is one that lerobot can encode",
         "lerobot-edit-dataset fails when it encodes again. AV1, H.264 and HEVC work", _codec),
    Rule("feature-camera-info", WARNING, "A video feature has an `info` block",
         "merging with datasets that have it fails", _camera_info),
    Rule("feature-depth-info", WARNING, "A depth camera's `info` says its unit and how distances were coded",
         "lerobot decodes with its defaults, which give wrong distances where others were used", _depth_info),
)  # fmt: skip
