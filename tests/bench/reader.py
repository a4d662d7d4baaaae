"""What only lerobot's environment can measure: random access and its cumulative joining.

python -m bench.reader decode ROOT VIDEO_KEY | join OUT FILE…
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path


def decode(fps: str, frames: str, path: str, samples: int = 200) -> float:
    """Return the mean time of reading one random frame of the first ``frames``, as ``LeRobotDataset`` does [s]."""
    from lerobot.datasets.video_utils import decode_video_frames

    chosen = random.Random(0).choices(range(int(frames)), k=samples)
    decode_video_frames(path, [0.0], 1e-4)
    before = time.perf_counter()
    for frame in chosen:
        decode_video_frames(path, [frame / int(fps)], 1e-4)
    return (time.perf_counter() - before) / samples


def join(out: str, *files: str) -> float:
    """Return how long lerobot takes to join episodes as it records them, one onto the growing file [s]."""
    from lerobot.datasets.video_utils import concatenate_video_files

    target = Path(out)
    before = time.perf_counter()
    target.write_bytes(Path(files[0]).read_bytes())
    for file in files[1:]:
        concatenate_video_files([target, Path(file)], target)
    return time.perf_counter() - before


if __name__ == "__main__":
    print(json.dumps({"decode": decode, "join": join}[sys.argv[1]](*sys.argv[2:])))
