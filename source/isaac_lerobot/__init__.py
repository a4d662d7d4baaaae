"""Record LeRobot v3.0 datasets from Isaac Sim and Isaac Lab while the simulation runs.

Importing this package imports nothing heavy: rooms load what they need when they are used.
"""

__version__ = "0.1.0"
