"""Video: which encoder makes the mp4 files, with which settings."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.errors import ConfigError

_CANONICAL = {
    "libx264": "h264",
    "h264_nvenc": "h264",
    "libx265": "hevc",
    "hevc_nvenc": "hevc",
    "libsvtav1": "av1",
    "av1_nvenc": "av1",
}
_X264_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
_X264_TUNED = "no-cabac=1:no-deblock=1:weightp=0:subme=0:aq-mode=0:qcomp=1:ipratio=2.0"
"""Cheap to encode and to decode; one quality whatever the picture and the frame rate, better in key frames."""
_X264_ALWAYS = "bframes=0:scenecut=0"
_CRF, _CRF_WIDTH, _CRF_PER_HALVING = 29, 640, 2.0
"""x264's quality for pictures of 640 pixels and more, and how much better it is for each halving of that: the smaller a
picture, the more of it a block of the encoder holds, and the less its bytes matter."""
_NVENC_PRESETS = ("p1", "p2", "p3", "p4", "p5", "p6", "p7")
_ENGINES = ("auto", "library", "program")
_SETTINGS = ("crf", "preset", "gop", "threads", "engine")
_TEST_SECONDS = 30.0


@dataclass(frozen=True)
class VideoCodec:
    """An encoder and its settings. See :meth:`parse` for the named ones.

    Attributes:
        encoder: Name of the ffmpeg encoder, one of ``libx264 libx265 libsvtav1 h264_nvenc hevc_nvenc av1_nvenc``.
        crf: Quality; lower is better and larger (constant rate factor; ``-cq`` of the hardware encoders). None
            chooses by the size of the pictures, see :meth:`quality`.
        preset: The encoder's preset, a name (x264, x265, nvenc) or a number (SVT-AV1).
        gop: Distance between key frames [frames]. A small one makes random access cheap, which training needs.
        threads: Threads of one encoder process. One is enough where there are several cameras.
        x264_params: Settings of x264 that go beyond its preset, as its ``-x264-params`` takes them.
        engine: ``library`` encodes within this process, ``program`` with an ffmpeg process for each camera, ``auto``
            takes the library for x264 and the program for the others.
    """

    encoder: str = "libx264"
    crf: int | None = None
    preset: str = "superfast"
    gop: int = 5
    threads: int = 1
    x264_params: str = _X264_TUNED
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.encoder not in _CANONICAL:
            raise ConfigError(f"Unknown video encoder {self.encoder!r}; known are {', '.join(_CANONICAL)}.")
        worst = 63 if self.canonical == "av1" else 51
        if (self.crf is not None and not 0 <= self.crf <= worst) or self.gop < 1 or self.threads < 1:
            raise ConfigError(
                f"The video codec {self.canonical} needs crf 0 to {worst}, gop >= 1 and threads >= 1, "
                f"got {self.crf}, {self.gop}, {self.threads}."
            )
        if self.engine not in _ENGINES:
            raise ConfigError(f"Unknown engine {self.engine!r} of a video codec; known are {', '.join(_ENGINES)}.")
        presets: tuple[str, ...] = _X264_PRESETS
        if self.encoder == "libsvtav1":
            presets = tuple(str(number) for number in range(14))
        elif self.is_hardware:
            presets = _NVENC_PRESETS
        if self.preset not in presets:
            raise ConfigError(f"{self.encoder} has no preset {self.preset!r}; it has {', '.join(presets)}.")

    @classmethod
    def parse(cls, text: str) -> VideoCodec:
        """Return the codec for a name, optionally with settings: ``"h264"``, ``"av1:crf=26,preset=10"``.

        Names: ``h264`` (the default: x264 GOP 5, tuned as ``docs/decisions/default-codec.md`` says), ``av1``
        (lerobot's default: SVT-AV1 preset 12 crf 30 GOP 2), ``hevc``, ``h264_nvenc``, ``hevc_nvenc``, ``av1_nvenc``,
        and ``auto``: the first hardware encoder that encodes a test frame, else ``h264``. Settings: ``crf``,
        ``preset``, ``gop``, ``threads``, ``engine``; a preset that is named is taken as it is, without our tuning.

        Raises:
            ConfigError: Unknown name or setting, with the known ones.
        """
        name, _, rest = text.strip().partition(":")
        if name == "auto":
            codec = choose_codec()
        elif name in _NAMED:
            codec = _NAMED[name]
        else:
            raise ConfigError(f"Unknown video codec {name!r}; known are {', '.join([*_NAMED, 'auto'])}.")
        changes: dict[str, Any] = {"x264_params": ""} if "preset=" in rest else {}
        for setting in filter(None, (part.strip() for part in rest.split(","))):
            key, _, value = setting.partition("=")
            if key not in _SETTINGS:
                raise ConfigError(f"Unknown codec setting {key!r}; known are {', '.join(_SETTINGS)}.")
            try:
                changes[key] = value if key in ("preset", "engine") else int(value)
            except ValueError:
                raise ConfigError(f"The codec setting {key!r} needs a whole number, got {value!r}.") from None
        return replace(codec, **changes)

    @property
    def canonical(self) -> str:
        """The stream's codec: ``h264``, ``hevc`` or ``av1``."""
        return _CANONICAL[self.encoder]

    @property
    def is_hardware(self) -> bool:
        """Whether a GPU encodes."""
        return self.encoder.endswith("_nvenc")

    def pixel_format(self, height: int, width: int) -> str:
        """Return the pixel format: 4:2:0 for even sizes, 4:4:4 for odd ones, so that these stay exact.

        Raises:
            ConfigError: An odd size with an AV1 encoder, which has no 4:4:4 here.
        """
        if height % 2 == 0 and width % 2 == 0:
            return "yuv420p"
        if self.canonical == "av1":
            raise ConfigError(
                f"{self.encoder} cannot encode the odd size {width}x{height} exactly. Use an even size, or h264."
            )
        return "yuv444p"

    def quality(self, height: int, width: int) -> int:
        """Return the crf for pictures of this size: 29 from 640 pixels on, 27 at 320, 25 at 160, unless one is set."""
        if self.crf is not None:
            return self.crf
        halvings = math.log2(_CRF_WIDTH / max(height, width))
        return _CRF - max(0, round(_CRF_PER_HALVING * halvings))

    def options(self, height: int, width: int) -> dict[str, str]:
        """Return the encoder's options for pictures of this size [pixels], by the names they have in ffmpeg."""
        options = {"g": str(self.gop), "preset": self.preset}
        quality = str(self.quality(height, width))
        if self.is_hardware:
            return {**options, "rc": "vbr", "cq": quality, "b:v": "0", **self.extra_options}
        options |= {"crf": quality, "threads": str(self.threads), **self.extra_options}
        if self.encoder == "libx265":
            options["x265-params"] += f":pools={self.threads}:frame-threads=1:log-level=error"
        if self.encoder == "libsvtav1":
            options["svtav1-params"] = f"fast-decode=0:lp={self.threads}"
        return options

    def arguments(self, height: int, width: int) -> list[str]:
        """Return ffmpeg's output options for the encoder."""
        arguments = ["-c:v", self.encoder, "-pix_fmt", self.pixel_format(height, width)]
        for name, value in self.options(height, width).items():
            arguments += [f"-{name}", value]
        return [*arguments, "-tag:v", "hvc1"] if self.encoder == "libx265" else arguments

    @property
    def extra_options(self) -> dict[str, str]:
        """What the encoder is told beyond quality, preset and key frames, as lerobot's ``video.extra_options``.

        lerobot encodes by it when it edits a dataset; what it then joins with our files must be like these.
        """
        # Frames are stored in the order they are shown, so that files can be joined by copying them, and every GOP is
        # closed, as open ones make torchcodec return wrong frames; key frames are exactly where training expects them.
        if self.encoder == "libx264":
            return {"x264-params": ":".join(filter(None, [_X264_ALWAYS, self.x264_params]))}
        if self.encoder == "libx265":
            return {"x265-params": "bframes=0:open-gop=0:scenecut=0"}
        return {"bf": "0"} if self.is_hardware else {}

    def info(self, height: int, width: int, fps: int) -> dict[str, Any]:
        """Return lerobot's ``info`` block for a camera of this size [pixels] and rate [frames/s]."""
        return {
            "video.height": height,
            "video.width": width,
            "video.codec": self.canonical,
            "video.pix_fmt": self.pixel_format(height, width),
            "video.fps": fps,
            "video.channels": 3,
            "has_audio": False,
            "video.g": self.gop,
            "video.crf": self.quality(height, width),
            "video.preset": int(self.preset) if self.preset.isdigit() else self.preset,
            "video.fast_decode": 0,
            "video.video_backend": "pyav",
            "video.extra_options": self.extra_options,
            "is_depth_map": False,
        }


_NAMED = {
    "h264": VideoCodec(),
    "av1": VideoCodec("libsvtav1", 30, "12", 2, 2, ""),
    "hevc": VideoCodec("libx265", 26, "ultrafast", 2, 1, ""),
    "h264_nvenc": VideoCodec("h264_nvenc", 23, "p4", 2, 1, ""),
    "hevc_nvenc": VideoCodec("hevc_nvenc", 26, "p4", 2, 1, ""),
    "av1_nvenc": VideoCodec("av1_nvenc", 30, "p4", 2, 1, ""),
}


def tuning_in(x264_params: object) -> str:
    """Return a codec's ``x264_params`` from what :attr:`VideoCodec.extra_options` made of them."""
    return x264_params.removeprefix(_X264_ALWAYS).removeprefix(":") if isinstance(x264_params, str) else ""


def choose_codec() -> VideoCodec:
    """Return the first hardware encoder that really encodes a frame, else the default.

    Being listed by ffmpeg says nothing: builds list NVENC on machines without any GPU.
    """
    for name in ("h264_nvenc", "hevc_nvenc"):
        if not try_encoder(_NAMED[name]):
            return _NAMED[name]
    return _NAMED["h264"]


def try_encoder(codec: VideoCodec) -> str:
    """Have ffmpeg encode one frame into nothing; return what went wrong, or an empty text.

    Raises:
        EncoderError: There is no ffmpeg.
    """
    return _try_encoder(ffmpeg.find_ffmpeg(), codec)


@functools.cache
def _try_encoder(_: str, codec: VideoCodec) -> str:
    """Encode one frame into nothing; return what went wrong, or an empty text."""
    size = 256
    arguments = [*ffmpeg.raw_input(size, size, 30), *codec.arguments(size, size), "-f", "null", "-"]
    return ffmpeg.run(arguments, bytes(size * size * 3), _TEST_SECONDS)
