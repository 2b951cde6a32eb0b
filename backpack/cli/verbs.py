"""Commands that have verbs: `backpack memory log`. Only the module of the verb that is asked for is imported."""

import argparse
import importlib
from collections.abc import Sequence
from types import ModuleType


def add_verbs(parser: argparse.ArgumentParser, group: ModuleType, argv: Sequence[str]) -> None:
    """The verbs of `group.VERBS`, each with its options if the arguments may be asking for it."""
    parser.description = group.__doc__
    parser.add_argument("--store", metavar="DIR", help="the folder of the store, as with the verbs")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for name, (module, purpose) in group.VERBS.items():
        form = argparse.RawDescriptionHelpFormatter
        verb = verbs.add_parser(name, help=purpose, formatter_class=form, allow_abbrev=False)
        if name in argv:
            importlib.import_module(f"backpack.cli.{module}").add_options(verb)
            for action in verb._actions:
                if action.dest == "store":  # else it would undo the one before the verb
                    action.default = argparse.SUPPRESS
