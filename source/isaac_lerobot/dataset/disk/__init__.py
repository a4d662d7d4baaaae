"""Changes of a dataset's files that survive a crash, and the right to make them."""
