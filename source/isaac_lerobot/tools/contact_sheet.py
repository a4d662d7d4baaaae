"""A contact sheet: one picture that shows the episodes of a dataset at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.errors import ConfigError, DatasetError
from isaac_lerobot.tools.dependencies import check_installed

if TYPE_CHECKING:
    from isaac_lerobot.dataset import RecordedEpisode

_THUMBNAIL_WIDTH = 160
_GAP = 3
_CAPTION = 20
_BACKGROUND = (24, 28, 33)
_TEXT = (226, 230, 235)
_COLOURS = {True: (70, 200, 110), False: (240, 150, 60), None: (150, 155, 165)}
_VERDICTS = {True: "success", False: "failure", None: "undecided"}


def draw_contact_sheet(root: Path, target: Path, columns: int = 8, max_episodes: int = 12) -> Path:
    """Draw evenly spaced frames of the episodes of a dataset, a row per episode and camera.

    Args:
        root: Folder of the dataset.
        target: Where to write the picture; the ending says the format (``.png``, ``.jpg``).
        columns: Frames per row.
        max_episodes: Episodes shown at the most, evenly spaced over the dataset.

    Returns:
        ``target``.

    Raises:
        ConfigError: ``max_episodes`` is not positive, or Pillow is not installed.
        DatasetError: The dataset cannot be read, or has no cameras or no episodes.
    """
    check_installed(["PIL"], "A contact sheet")
    from PIL import Image, ImageDraw

    if max_episodes < 1:
        raise ConfigError(f"A contact sheet shows at least one episode, not {max_episodes}.")
    dataset = DatasetReader(root)
    if not dataset.cameras or not len(dataset):
        raise DatasetError(f"{root} has no pictures to show: {len(dataset)} episodes, {len(dataset.cameras)} cameras.")
    shown = np.unique(np.linspace(0, len(dataset) - 1, min(max_episodes, len(dataset))).round().astype(int))
    rows = [
        (_caption(episode, camera), _COLOURS[episode.success], _thumbnails(episode, camera, columns))
        for episode in (dataset.episode(int(index)) for index in shown)
        for camera in dataset.cameras
    ]
    width = columns * (_THUMBNAIL_WIDTH + _GAP) + _GAP
    height = sum(_CAPTION + pictures[0].height + _GAP for _, _, pictures in rows) + _GAP
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for caption, colour, pictures in rows:
        draw.rectangle((_GAP, top + 5, _GAP + 9, top + 14), fill=colour)
        draw.text((_GAP + 16, top + 4), caption, fill=_TEXT)
        top += _CAPTION
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (_GAP + column * (_THUMBNAIL_WIDTH + _GAP), top))
        top += pictures[0].height + _GAP
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(target)
    except (OSError, ValueError) as error:
        raise DatasetError(f"The contact sheet cannot be written to {target}: {error}.") from error
    return target


def _caption(episode: RecordedEpisode, camera: str) -> str:
    name = camera.removeprefix("observation.images.")
    return f"episode {episode.index}  {name}  {_VERDICTS[episode.success]}  {episode.length} frames  {episode.task}"


def _thumbnails(episode: RecordedEpisode, camera: str, columns: int) -> list[Any]:
    from PIL import Image

    pictures = []
    for frame in np.linspace(0, episode.length - 1, columns).round().astype(int):
        pixels = next(iter(episode.images(camera, int(frame), int(frame) + 1)))
        picture = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
        pictures.append(picture.resize((_THUMBNAIL_WIDTH, round(picture.height * _THUMBNAIL_WIDTH / picture.width))))
    return pictures
