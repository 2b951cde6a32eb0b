"""The command line: `backpack COMMAND`. One file a command, with `add_options` and `run`; `main.py` finds it."""
