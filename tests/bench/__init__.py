"""The writer measured beside its peers: ``make bench``."""
