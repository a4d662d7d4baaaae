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
from isaac_lerobot.dataset.video import VideoCodec, find_ffmpeg

FPS = 30
CANDIDATES = (
    "av1",
    "h264:preset=ultrafast,crf=23,gop=2",
    "h264:preset=ultrafast,crf=29,gop=2",
    "h264:preset=ultrafast,crf=28,gop=5",
    "h264:preset=superfast,crf=26,gop=2",
    "h264:preset=veryfast,crf=23,gop=2",
    "h264:crf=23",
    "h264",
    "h264:crf=30",
    "h264:gop=2",
    "h264:gop=10",
    "hevc",
    "av1:gop=10",
)
NOISE = 2.0
"""Standard deviation of the noise that the second measurement adds [grey levels]."""


def measure(codec: VideoCodec, source: np.ndarray, target: Path) -> tuple[float, float, float]:
    """Encode uint8 ``(frames, H, W, 3)``; return CPU time per frame [s], bytes per frame and PSNR-Y [dB]."""
    frames, height, width = source.shape[:3]
    command = [find_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-video_size", f"{width}x{height}", "-framerate", str(FPS), "-threads", "1", "-i", "pipe:0"]
    command += ["-filter_threads", "1", *codec.arguments(height, width), str(target)]
    before = os.times()
    subprocess.run(command, input=source.tobytes(), check=True, env=os.environ | {"SVT_LOG": "1"})
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return cpu / frames, target.stat().st_size / frames, psnr_of_luma(target, source, FPS)


def main() -> None:
    """Measure every candidate and print the table."""
    scene = np.load(rendered_scene(), mmap_mode="r")
    cameras = [np.ascontiguousarray(scene[:, camera]) for camera in range(2)]
    noisy = [_with_noise(source) for source in cameras]
    print("| codec | CPU per frame | kB per frame | PSNR-Y | one random frame | with noise: kB | PSNR-Y |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in CANDIDATES:
            codec, target = VideoCodec.parse(name), Path(folder) / "video.mp4"
            figures = np.mean([measure(codec, source, target) for source in cameras], axis=0)
            decode = in_lerobot("decode", str(FPS), str(len(scene)), str(target))
            _, size, quality = np.mean([measure(codec, source, target) for source in noisy], axis=0)
            tuned = " tuned" if codec.x264_params else ""
            label = f"`{name}` ({codec.encoder} {codec.preset}{tuned} crf {codec.crf} GOP {codec.gop})"
            print(
                f"| {label} | {1e3 * figures[0]:.2f} ms | {figures[1] / 1e3:.2f} | {figures[2]:.1f} dB "
                f"| {1e3 * decode:.2f} ms | {size / 1e3:.2f} | {quality:.1f} dB |",
                flush=True,
            )


def _with_noise(source: np.ndarray) -> np.ndarray:
    """Add what a sensor or a path tracer adds: noise of the brightness, and half as much of each colour."""
    random, noisy = np.random.default_rng(0), np.empty_like(source)
    for frame, into in zip(source, noisy, strict=True):
        changed = frame + random.normal(0, NOISE, (*frame.shape[:2], 1)) + random.normal(0, NOISE / 2, frame.shape)
        into[:] = np.clip(np.round(changed), 0, 255)
    return noisy


if __name__ == "__main__":
    main()
