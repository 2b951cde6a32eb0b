"""The rivals that the benchmarks run beside Backpack, each pinned in one file."""
