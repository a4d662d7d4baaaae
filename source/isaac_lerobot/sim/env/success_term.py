"""The task's success term, made inert: it still says whether it holds, but no longer ends the episode.

Removing the term instead would break rewards and observations that name it (Isaac Lab pull requests 7571, 7579).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SUCCESS = "success"


class InertSuccessTerm:
    """Takes the place of the function of a termination term; :attr:`holds` is what that function said last.

    Args:
        env: The unwrapped environment, with a termination term called ``success``.
    """

    def __init__(self, env: Any) -> None:
        self._manager = env.termination_manager
        self._cfg = self._manager.get_term_cfg(SUCCESS)
        self._judge = self._cfg.func
        self.holds: NDArray[np.bool_] = np.zeros(env.num_envs, dtype=np.bool_)
        self._cfg.func = self

    def __call__(self, env: Any, **params: Any) -> Any:
        """Remember what the term says and report that nothing has ended; shape ``(num_envs,)``, bool."""
        import torch

        verdict = self._judge(env, **params)
        self.holds = verdict.detach().cpu().numpy().astype(np.bool_)
        return torch.zeros_like(verdict, dtype=torch.bool)

    def reset(self, env_ids: Any = None) -> None:
        """Pass a reset on to a term that keeps state between steps."""
        reset = getattr(self._judge, "reset", None)
        if callable(reset):
            reset(env_ids=env_ids)

    def remove(self) -> None:
        """Make the term end episodes again."""
        self._cfg.func = self._judge
