"""Text for a terminal: values and sizes in few characters, tables that fit. For the demo and the command line."""
