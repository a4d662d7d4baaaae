"""Write small datasets with the real lerobot 0.6.1: run by its own interpreter, never imported by the product.

    python reference_lerobot.py FOLDER

writes FOLDER/joined (every kind of feature, AV1, three episodes joined in one file each), FOLDER/split
(H.264, two episodes, a file of its own for each by resuming) and FOLDER/truth.npz (what was given to it).
"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

import numpy as np
from lerobot.configs.video import RGBEncoderConfig
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FPS = 10
HEIGHT, WIDTH = 48, 64
STATE = {"dtype": "float32", "shape": (3,), "names": ["shoulder.pos", "elbow.pos", "gripper.pos"]}
ACTION = {"dtype": "float32", "shape": (2,), "names": ["elbow.pos", "gripper.pos"]}
CAMERA = {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}


def picture(episode: int, frame: int, channels: int = 3) -> np.ndarray:
    """A picture whose mean tells which frame of which episode it is: an upright bar and a grey level."""
    image = np.full((HEIGHT, WIDTH, channels), 20 + 16 * frame + 3 * episode, np.uint8)
    image[:, (7 * frame) % WIDTH : (7 * frame) % WIDTH + 6] = 250
    return image


def write_joined(root: Path) -> dict[str, np.ndarray]:
    features = {
        "observation.state": STATE,
        "action": ACTION,
        "observation.images.front": CAMERA,
        "observation.images.wrist": dict(CAMERA),
        "observation.images.still": {"dtype": "image", "shape": (16, 16, 3), "names": CAMERA["names"]},
        "observation.images.depth": {
            "dtype": "video", "shape": (HEIGHT, WIDTH, 1), "names": CAMERA["names"], "info": {"is_depth_map": True},
        },
        "grid": {"dtype": "float32", "shape": (2, 3), "names": None},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
        "label": {"dtype": "string", "shape": (1,), "names": None},
    }  # fmt: skip
    dataset = LeRobotDataset.create("test/joined", FPS, features, root=root, robot_type="arm")
    random = np.random.default_rng(0)
    truth: dict[str, list[np.ndarray]] = {"state": [], "grid": [], "front": [], "wrist": [], "still": [], "depth": []}
    for episode, length in enumerate((5, 8, 2)):
        for frame in range(length):
            state = random.normal(size=3).astype(np.float32)
            grid = random.normal(size=(2, 3)).astype(np.float32)
            front, wrist = picture(episode, frame), 255 - picture(episode, frame)
            still = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            depth = (500 + 35 * picture(episode, frame, 1).astype(np.uint16)).astype(np.uint16)
            dataset.add_frame({
                "observation.state": state,
                "action": random.normal(size=2).astype(np.float32),
                "observation.images.front": front,
                "observation.images.wrist": wrist,
                "observation.images.still": still,
                "observation.images.depth": depth,
                "grid": grid,
                "next.reward": np.array([frame / 10], np.float32),
                "next.done": np.array([frame == length - 1]),
                "label": f"e{episode}f{frame}",
                "task": "Push the cube" if episode != 1 else "Lift the cube",
            })  # fmt: skip
            for name, value in zip(truth, (state, grid, front, wrist, still, depth), strict=True):
                truth[name].append(value)
        dataset.save_episode()
    dataset.finalize()
    return {name: np.stack(values) for name, values in truth.items()}


def write_split(root: Path) -> None:
    features = {"observation.state": STATE, "action": ACTION, "observation.images.front": CAMERA}
    encoder = RGBEncoderConfig(vcodec="h264", preset="ultrafast", crf=23)
    for episode in range(2):
        if episode == 0:
            dataset = LeRobotDataset.create("test/split", FPS, features, root=root, rgb_encoder=encoder)
        else:
            dataset = LeRobotDataset.resume("test/split", root=root, rgb_encoder=encoder)
        for frame in range(6):
            dataset.add_frame({
                "observation.state": np.full(3, frame, np.float32),
                "action": np.full(2, frame, np.float32),
                "observation.images.front": picture(episode, frame),
                "task": "Push the cube",
            })  # fmt: skip
        dataset.save_episode()
        dataset.finalize()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    np.savez(folder / "truth.npz", **write_joined(folder / "joined"))
    write_split(folder / "split")
