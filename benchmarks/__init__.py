"""Measurements of Backpack beside its rivals: `python -m benchmarks`, one question a file."""
