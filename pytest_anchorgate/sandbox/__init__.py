"""Running a generated program where it can do no harm."""
