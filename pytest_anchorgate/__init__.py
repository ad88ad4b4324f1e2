"""A pytest plugin that stops a model-weights change from losing what the model could already do.

This module is imported at every pytest start, so it holds this docstring only.
"""
