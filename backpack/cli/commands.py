"""Commands from their modules: what one is for and takes, and those that have verbs: `backpack memory log`.

The module of a command has `DESCRIPTION`, `add_options(parser)` and `run(args)`, which gives the exit code, and perhaps
`EPILOG`. One with verbs has `VERBS` in their place: by name the module in `backpack.cli`, and what it is for. Only the
module of the verb that is asked for is imported.
"""

import argparse
import importlib
from collections.abc import Sequence
from types import ModuleType


def add_command(parser: argparse.ArgumentParser, name: str, argv: Sequence[str]) -> None:
    """What the command in that module of `backpack.cli` is for, and its options or verbs."""
    module = importlib.import_module(f"backpack.cli.{name}")
    if hasattr(module, "VERBS"):
        _add_verbs(parser, module, argv)
        return
    parser.description, parser.epilog = module.DESCRIPTION, getattr(module, "EPILOG", None)
    module.add_options(parser)
    parser.set_defaults(run_command=module.run)


def _add_verbs(parser: argparse.ArgumentParser, group: ModuleType, argv: Sequence[str]) -> None:
    """The verbs of `group.VERBS`, each with its options if the arguments may be asking for it."""
    parser.description = group.__doc__
    parser.add_argument("--store", metavar="DIR", help="the folder of the store, as with the verbs")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for name, (module, purpose) in group.VERBS.items():
        form = argparse.RawDescriptionHelpFormatter
        verb = verbs.add_parser(name, help=purpose, formatter_class=form, allow_abbrev=False)
        if name in argv:
            add_command(verb, module, argv)
            for action in verb._actions:
                if action.dest == "store":  # else it would undo the one before the verb
                    action.default = argparse.SUPPRESS
