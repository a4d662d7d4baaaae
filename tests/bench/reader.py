"""What only lerobot's environment can measure: random access, its default encoder and its cumulative joining.

python -m bench.reader decode FPS FRAMES FILE… | encode FRAMES.npy FPS OUT | join OUT FILE…
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from pathlib import Path

DECODE_ROUNDS = 7


def decode(fps: str, frames: str, *paths: str) -> list[float]:
    """Return the median time of decoding one random frame of the first ``frames`` of each file, one thread [s].

    The files are open all the time, as lerobot's decoders are (torchcodec); its PyAV fallback opens the file for every
    frame, which takes longer than any decoding and is the same for all codecs. They are read in turns, so that a
    machine whose speed drifts drifts for all of them.
    """
    rounds = [[_decode(path, int(fps), int(frames)) for path in paths] for _ in range(DECODE_ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _decode(path: str, fps: int, frames: int, samples: int = 200) -> float:
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1

        def read(frame: int) -> None:
            container.seek(round(frame / fps / stream.time_base), stream=stream, backward=True)
            next(found for found in container.decode(stream) if round(found.time * fps) >= frame)

        chosen = random.Random(0).choices(range(frames), k=samples)
        for frame in chosen[:20]:
            read(frame)
        before = time.perf_counter()
        for frame in chosen:
            read(frame)
        return (time.perf_counter() - before) / samples


def encode(frames: str, fps: str, out: str) -> float:
    """Encode a ``.npy`` file, uint8 ``(frames, H, W, 3)``, as lerobot does; return CPU time per frame [s]."""
    import av
    import numpy as np
    from lerobot.configs.video import RGBEncoderConfig

    source, encoder = np.load(frames), RGBEncoderConfig()
    began = time.process_time()
    with av.open(out, "w") as container:
        options = encoder.get_codec_options(as_strings=True)
        stream = container.add_stream(encoder.vcodec, int(fps), options=options)
        stream.pix_fmt, (stream.height, stream.width) = encoder.pix_fmt, source.shape[1:3]
        for picture in source:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return (time.process_time() - began) / len(source)


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
    print(json.dumps({"decode": decode, "encode": encode, "join": join}[sys.argv[1]](*sys.argv[2:])))
