"""The `.planck` file: one model as one file that any runtime can map."""
