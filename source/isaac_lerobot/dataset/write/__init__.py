"""Recording: episodes, their commit, joining files, and what happens to a folder before and after."""
