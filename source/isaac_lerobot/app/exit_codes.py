"""Exit codes of the command line beyond 0 (done), 1 (not done) and 2 (wrong usage)."""

import signal

AFTER_SIGNAL = 128
"""After a signal, as shells have it: this plus the signal's number."""

INTERRUPTED = AFTER_SIGNAL + signal.SIGINT
"""After Ctrl+C."""
