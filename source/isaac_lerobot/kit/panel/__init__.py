"""The panel: a window that posts commands and draws the session's status."""
