"""Surgery: learn what a pack fails, and keep what it solves."""
