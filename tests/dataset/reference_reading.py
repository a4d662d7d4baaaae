"""Read datasets with the real lerobot 0.6.1: run by its own interpreter, never imported by the product.

    python reference_reading.py ROOTS.json CACHE

prints, as its last line, a JSON list with ``{"error": ...}`` or ``{"length", "digest", "tasks"}`` for each root.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = str(Path(sys.argv[2]) / "hf")

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def read(root: str) -> dict:
    fps = json.loads((Path(root) / "meta/info.json").read_text())["fps"]
    dataset = LeRobotDataset("test/reading", root=root, delta_timestamps={"action": [0.0, 1 / fps]})
    digest, tasks = hashlib.sha256(), []
    for number in range(len(dataset)):
        item = dataset[number]
        tasks.append(str(item["task"]))
        for key in sorted(item):
            value = item[key]
            digest.update(value.numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())
    stats = json.dumps({key: {k: v.tolist() for k, v in entry.items()} for key, entry in dataset.meta.stats.items()})
    return {
        "length": len(dataset),
        "digest": digest.hexdigest(),
        "tasks": tasks,
        "stats": hashlib.sha256(stats.encode()).hexdigest(),
    }


results = []
for root in json.loads(Path(sys.argv[1]).read_text()):
    try:
        results.append(read(root))
    except Exception as error:
        results.append({"error": f"{type(error).__name__}: {error}"[:300]})
print(json.dumps(results))
