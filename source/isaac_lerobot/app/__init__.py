"""The command line, the script host that owns the loop, and the demo task."""
