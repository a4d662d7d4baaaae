"""``python -m isaac_lerobot``: for a Python whose scripts are not on the PATH, as Isaac Sim's own."""

import sys

from isaac_lerobot.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
