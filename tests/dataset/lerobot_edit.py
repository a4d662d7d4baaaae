"""Edit datasets with the real lerobot: run by its own interpreter, never imported by the product.

python lerobot_edit.py delete ROOT OUT EPISODE...
python lerobot_edit.py merge OUT ROOT...
"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def opened(root: str) -> LeRobotDataset:
    return LeRobotDataset(f"test/{Path(root).name}", root=root)


if __name__ == "__main__":
    what, first, *rest = sys.argv[1:]
    if what == "delete":
        delete_episodes(opened(first), [int(index) for index in rest[1:]], output_dir=rest[0], repo_id="test/edited")
    else:
        merge_datasets([opened(root) for root in rest], output_repo_id="test/merged", output_dir=first)
