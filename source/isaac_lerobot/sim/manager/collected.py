"""``CollectedEpisode``: an episode that Isaac Lab's recorder terms hold in memory, as frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.episode_data.choice import Choice, lay_out
from isaac_lerobot.episode_data.layout import ACTIONS, Part, is_observation
from isaac_lerobot.episode_data.states import INITIAL
from isaac_lerobot.episode_data.tensors import as_numpy, to_torch


class CollectedEpisode:
    """What becomes of the values of an episode.

    Args:
        values: Tensors by path (``"obs/joint_pos"``), of shape ``(steps, …)``; those under ``initial_state`` have a
            single row.
        choice: What becomes a feature.

    Attributes:
        steps: Its length, 0 where no step was made.
        layout: Its features and where they come from.

    Raises:
        ConfigError: A key names nothing that was recorded.
    """

    def __init__(self, values: Mapping[str, Any], choice: Choice) -> None:
        self._values, self._choice = values, choice
        self.steps = _steps(values)
        offered = [_part(path, value) for path, value in values.items() if self._may_be_feature(path)]
        self.layout = lay_out(offered if self.steps else (), choice if self.steps else Choice())

    def frames(self) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
        """Yield each step's values by feature, and the numbers kept beside the dataset by path.

        Raises:
            FeatureError: Values that are features differ in their number of steps.
        """
        columns = {path: array for path, array in self._beside().items() if self._is_column(path, array)}
        for step, frame in enumerate(self.layout.rows(self._values)):
            yield frame, {path: column[step] for path, column in columns.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is kept of the episode as a whole, by path."""
        return {path: array for path, array in self._beside().items() if not self._is_column(path, array)}

    def first_not_finite(self) -> tuple[str, int] | None:
        """Return where a feature holds NaN or inf first: the path of the value and the step."""
        found = []
        for path in self.layout.paths:
            value = to_torch(self._values[path])
            if value.is_floating_point() and not (finite := value.isfinite()).all():
                good = as_numpy(finite).reshape(len(value), -1).all(axis=1)
                found.append((int(np.argmin(good)), path))
        return (min(found)[1], min(found)[0]) if found else None

    def _may_be_feature(self, path: str) -> bool:
        if path == ACTIONS or is_observation(path):
            return True
        return not _is_initial(path) and len(self._values[path]) == self.steps

    def _beside(self) -> dict[str, NDArray[Any]]:
        features = set(self.layout.paths)
        kept = (path for path in self._values if path not in features and self._choice.keeps(path))
        return {path: as_numpy(self._values[path]) for path in kept}

    def _is_column(self, path: str, array: NDArray[Any]) -> bool:
        # The joints of an asset without joints: no numbers to keep in a column, but there to be found again.
        return bool(array.size) and len(array) == self.steps and not _is_initial(path)


def _steps(values: Mapping[str, Any]) -> int:
    if ACTIONS in values:
        return len(values[ACTIONS])
    if observations := [len(value) for path, value in values.items() if is_observation(path)]:
        return max(observations)
    # A single row may as well be what a term says of the episode as a whole.
    rows = max((len(value) for path, value in values.items() if not _is_initial(path)), default=0)
    return rows if rows > 1 else 0


def _is_initial(path: str) -> bool:
    return f"{path}/".startswith(INITIAL)


def _part(path: str, value: Any) -> Part:
    tensor = to_torch(value)
    return Part(path, tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))
