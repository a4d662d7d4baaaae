"""They step: recording an environment that somebody else's script owns."""
