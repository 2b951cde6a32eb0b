"""`backpack context config`: each setting, and where it comes from."""

import argparse
import sys
from dataclasses import fields
from typing import Any, Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option
from backpack.context import ContextConfig, configured
from backpack.context.environment import VARIABLES

DESCRIPTION: Final = """\
The settings that hold here: those of the environment, of a file (--file, else
the one that BACKPACK_CONTEXT_FILE names, else .env), and defaults. A wrong
value is an error that names the variable and what it accepts."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--file", metavar="FILE", help="a file of NAME=value lines")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the settings; the exit code."""
    console = Console(sys.stdout)
    found = configured(file=args.file)
    variables = {variable.field: variable.name for variable in VARIABLES}
    rows = [
        {
            "setting": field.name,
            "value": _plain(getattr(found.config, field.name)),
            "source": found.sources[field.name],
            "variable": variables.get(field.name),
        }
        for field in fields(ContextConfig)
    ]
    if args.as_json:
        console.document(rows)
        return FINE
    cells = [(row["setting"], _shown(row["value"]), row["source"], row["variable"] or "") for row in rows]
    console.table(("setting", "value", "from", "variable"), cells, whole="setting")
    return FINE


def _plain(value: Any) -> Any:
    """A setting as JSON has it: a default figure is of a class of its own."""
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
