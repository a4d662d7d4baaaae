"""Candidates for the default codec, measured on renders of the demo cameras.

    tests/host/python -m bench.codecs

prints the table of ``docs/decisions/default-codec.md``: one ffmpeg, one thread, both cameras, RGB input included.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from bench.quality import in_lerobot, psnr_of_luma
from bench.run import rendered_scene
from isaac_lerobot.dataset.video.codec import VideoCodec
from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

FPS = 30
LEROBOT = "lerobot's default"
CANDIDATES = (
    LEROBOT,
    "h264:preset=ultrafast,crf=23,gop=2",
    "h264:preset=ultrafast,crf=29,gop=2",
    "h264:preset=ultrafast,crf=29,gop=5",
    "h264:preset=superfast,crf=29,gop=2",
    "h264:preset=veryfast,crf=26,gop=2",
    "h264:crf=23",
    "h264",
    "h264:gop=2",
    "h264:gop=10",
    "hevc",
    "av1",
    "av1:gop=10",
)
NOISE = 2.0
"""Standard deviation of the noise that the second measurement adds [grey levels]."""


def measure(name: str, source: np.ndarray, target: Path) -> tuple[float, float, float]:
    """Encode uint8 ``(frames, H, W, 3)``; return CPU time per frame [s], bytes per frame and PSNR-Y [dB]."""
    if name == LEROBOT:
        frames = target.with_suffix(".npy")
        np.save(frames, source)
        cpu = in_lerobot("encode", str(frames), str(FPS), str(target))
    else:
        cpu = _encode(VideoCodec.parse(name), source, target)
    return cpu, target.stat().st_size / len(source), psnr_of_luma(target, source, FPS)


def _encode(codec: VideoCodec, source: np.ndarray, target: Path) -> float:
    frames, height, width = source.shape[:3]
    command = [find_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-video_size", f"{width}x{height}", "-framerate", str(FPS), "-threads", "1", "-i", "pipe:0"]
    command += ["-filter_threads", "1", *codec.arguments(height, width), str(target)]
    before = os.times()
    subprocess.run(command, input=source.tobytes(), check=True, env=os.environ | {"SVT_LOG": "1"})
    after = os.times()
    return (after.children_user - before.children_user + after.children_system - before.children_system) / frames


def _label(name: str) -> str:
    if name == LEROBOT:
        return "lerobot 0.6.1 (libsvtav1 12 crf 30 GOP 2, by PyAV)"
    codec = VideoCodec.parse(name)
    tuned = " tuned" if codec.x264_params else ""
    return f"`{name}` ({codec.encoder} {codec.preset}{tuned} crf {codec.quality(480, 640)} GOP {codec.gop})"


def _with_noise(source: np.ndarray) -> np.ndarray:
    """Add what a sensor or a path tracer adds: noise of the brightness, and half as much of each colour."""
    random, noisy = np.random.default_rng(0), np.empty_like(source)
    for frame, into in zip(source, noisy, strict=True):
        changed = frame + random.normal(0, NOISE, (*frame.shape[:2], 1)) + random.normal(0, NOISE / 2, frame.shape)
        into[:] = np.clip(np.round(changed), 0, 255)
    return noisy


def main() -> None:
    """Measure every candidate and print the table."""
    scene = np.load(rendered_scene(), mmap_mode="r")
    clean = [np.ascontiguousarray(scene[:, camera]) for camera in range(2)]
    noisy = [_with_noise(source) for source in clean]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        videos = [Path(folder) / f"{number}.mp4" for number in range(len(CANDIDATES))]
        for name, video in zip(CANDIDATES, videos, strict=True):
            _, size, quality = np.mean([measure(name, source, video) for source in noisy], axis=0)
            figures.append([*np.mean([measure(name, source, video) for source in clean], axis=0), size, quality])
        decode = in_lerobot("decode", str(FPS), str(len(scene)), *map(str, videos))
    print("| codec | CPU per frame | kB per frame | PSNR-Y | one random frame | with noise: kB | PSNR-Y |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (cpu, size, quality, noisy_size, noisy_quality), read in zip(CANDIDATES, figures, decode, strict=True):
        print(
            f"| {_label(name)} | {1e3 * cpu:.2f} ms | {size / 1e3:.2f} | {quality:.1f} dB | {1e3 * read:.2f} ms "
            f"| {noisy_size / 1e3:.2f} | {noisy_quality:.1f} dB |"
        )


if __name__ == "__main__":
    main()
