"""What only lerobot's environment can measure: random access and its cumulative joining.

python -m bench.reader decode ROOT VIDEO_KEY | join OUT FILE…
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path


def decode(fps: str, frames: str, path: str, samples: int = 300) -> float:
    """Return the mean time of decoding one random frame of the first ``frames`` of an open file, one thread [s].

    lerobot keeps its decoders open between frames (torchcodec); its PyAV fallback opens the file for every frame,
    which takes longer than any decoding and is the same for all codecs.
    """
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1

        def read(frame: int) -> None:
            container.seek(round(frame / int(fps) / stream.time_base), stream=stream, backward=True)
            next(found for found in container.decode(stream) if round(found.time * int(fps)) >= frame)

        chosen = random.Random(0).choices(range(int(frames)), k=samples)
        for frame in chosen[:20]:
            read(frame)
        before = time.perf_counter()
        for frame in chosen:
            read(frame)
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
