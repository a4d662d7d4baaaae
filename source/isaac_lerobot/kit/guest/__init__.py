"""Manners of a guest: what an app that is not ours is asked for, what is set in it, and how it is left."""
