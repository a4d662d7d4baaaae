"""What a video is worth: its noise against the source, and what reading a frame of it costs lerobot."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

ROOT = Path(__file__).resolve().parents[2]
LEROBOT_PYTHON = ROOT / ".venv-lerobot" / "bin" / "python"


def psnr_of_luma(video: Path, source: np.ndarray, fps: int) -> float:
    """Return the PSNR [dB] of a video's luma against its source, uint8 ``(frames, H, W, 3)``.

    Both sides are brought to full-range luma first: encoders differ in the range they store.
    """
    frames, height, width = source.shape[:3]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", str(fps)]
    graph = "[0:v]scale=out_range=full,format=gray[a];[1:v]scale=out_range=full,format=gray[b];[a][b]psnr=shortest=1"
    command = [find_ffmpeg(), "-hide_banner", "-i", str(video), *raw, "-i", "pipe:0", "-lavfi", graph]
    command += ["-frames:v", str(frames), "-f", "null", "-"]
    said = subprocess.run(command, input=source.tobytes(), capture_output=True, check=True).stderr.decode()
    found = re.findall(r"PSNR .*?(?:y|average):([\d.]+)", said)
    return float(found[-1])


def in_lerobot(*arguments: str) -> Any:
    """Have ``bench.reader`` measure something in lerobot's environment and return its figures [s]."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "HF_HUB_OFFLINE": "1"}
    command = [str(LEROBOT_PYTHON), "-m", "bench.reader", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(result.stdout.strip().splitlines()[-1])
