"""Isaac Lab: what a task offers, environment to frame, teleop sources, and the driver's tick."""
