"""Suites of tasks, the prompts they become and the programs that completions hold."""
