"""Kit: the extension, its settings and the panel."""
