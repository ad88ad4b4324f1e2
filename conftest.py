"""Lets tests build small projects and run pytest in them."""

from __future__ import annotations

pytest_plugins = "pytester"
