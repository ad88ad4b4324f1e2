"""Engines turn prompts into completions; only the model's own process imports torch."""
