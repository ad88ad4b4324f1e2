"""Lets tests build small projects, run pytest in them, and press Ctrl-C."""

from __future__ import annotations

import os
import signal

pytest_plugins = "pytester"

# A script's background job ignores Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of children import the package: compiled once, each starts a third of a second earlier.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Workers share the cores: torch's threads in two of them wait for each other more than they gain.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
