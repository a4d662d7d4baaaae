"""What Isaac Lab's RecorderManager is given."""
