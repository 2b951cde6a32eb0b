"""The store that a user names as with other classes of LangGraph: a Backpack, a path, or what is neither."""

import os
from typing import Any, Final

from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.sqlite_opening import is_database
from backpack.storage.opening import path_text
from backpack.store.opening import open as open_store
from backpack.store.store import Backpack

IN_MEMORY: Final = ":memory:"
"""What `from_conn_string` takes for no path, as SQLite does."""


def store_of(store: "Backpack | str | os.PathLike[str]", kind: str, options: dict[str, Any]) -> Backpack:
    """The Backpack itself, or that of a path. `kind`: the class that is made of it, for messages.

    `InvalidArgumentError` for what other classes of LangGraph are made of, and what to do with that; otherwise what
    `backpack.open` raises.
    """
    if isinstance(store, Backpack):
        if options:
            raise InvalidArgumentError(f"only a path is opened with options: {', '.join(sorted(options))}")
        return store
    if not isinstance(store, str | os.PathLike):
        raise InvalidArgumentError(f"a {kind} is made of a Backpack or of a path, not of a {type(store).__name__}")
    path = path_text(store)
    if path == IN_MEMORY:
        raise InvalidArgumentError(f'"{IN_MEMORY}" is no path: {kind}(Backpack()) keeps everything in memory')
    if is_database(path):
        raise InvalidArgumentError(
            f"that is a SQLite database, and a store is a folder: path={path!r}; `backpack import --langgraph-sqlite "
            "DB --store FOLDER` puts what a SqliteSaver has in it into one"
        )
    return open_store(store, **options)
