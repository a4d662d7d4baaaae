"""We step: the driver and what it drives with."""
