"""Kit from the command line, as Isaac Sim's ``kit`` is: arguments in, exit code out.

tests/host/python tests/host/kit.py --enable isaac.lerobot.recorder --/exts/isaac.lerobot.recorder/autostart=true …
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from host.kit_host import KitHost


def main(arguments: Sequence[str]) -> int:
    """Run Kit until somebody asks it to end; return its exit code."""
    # The interface is there unless the command line says that there is no window to show it in.
    host = KitHost(extensions=(), ui="--no-window" not in arguments, arguments=arguments)
    while host.running:
        host.update()
        time.sleep(0.001)
    return host.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
