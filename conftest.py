"""Lets tests build small projects, run pytest in them, and press Ctrl-C."""

from __future__ import annotations

import signal

pytest_plugins = "pytester"

# A script's background job ignores Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
