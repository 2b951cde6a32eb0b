"""The command line: `backpack COMMAND`. One file a command, with `add_parser` and `run`."""
