"""Sessions: several conversations in one store, listed, and resumed by an id or the beginning of one.

    sessions.ID.messages     the conversation, and what stands beside it
    sessions.ID.about        its title

An id is 12 letters and digits that are random from the first, so a few of them tell one from all others.
"""

import builtins
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from backpack.context.conversation import Conversation
from backpack.context.cost import usd_of
from backpack.context.keys import conversations_among
from backpack.context.message import view
from backpack.context.storing import Storage
from backpack.errors import CorruptionError, InvalidArgumentError, SessionNotFoundError
from backpack.store.names import checked_callable, checked_key, checked_text
from backpack.store.store import Backpack

PREFIX_DEFAULT: Final = "sessions"
TITLE_SIZE_MAX: Final = 1024
"""Bytes of UTF-8 in a title: it stands in lists."""

_ID_LENGTH: Final = 12
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuv"
_TITLE_LENGTH: Final = 60
_SHOWN_IDS: Final = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One session: what it is about, and its counters. Tokens are input and output of its calls."""

    id: str
    """Empty for a conversation at a key of its own, which is no session."""
    title: str
    messages: int
    input_tokens: int
    output_tokens: int
    compressions: int
    cost: Decimal
    """In USD."""
    begun: datetime
    last_activity: datetime
    key: str
    """Where its messages are."""

    @property
    def tokens(self) -> int:
        """Input and output of all calls."""
        return self.input_tokens + self.output_tokens

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name; times as ISO 8601, the cost as a number."""
        return {
            "id": self.id or None,
            "key": self.key,
            "title": self.title,
            "messages": self.messages,
            "tokens": self.tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "compressions": self.compressions,
            "cost": float(self.cost),
            "begun": self.begun.isoformat(),
            "last_activity": self.last_activity.isoformat(),
        }


class Sessions:
    """The sessions of one store, below one prefix.

    >>> sessions = Sessions(Backpack())
    >>> conversation = sessions.create("a trip to Rome")
    >>> commit = conversation.add({"role": "user", "content": "three nights"})
    >>> [(session.title, session.messages) for session in sessions.list()]
    [('a trip to Rome', 1)]
    """

    def __init__(
        self, bp: Backpack, prefix: str = PREFIX_DEFAULT, *, make_random: Callable[[int], bytes] = os.urandom
    ) -> None:
        if not isinstance(bp, Backpack):
            raise InvalidArgumentError(
                f"sessions are kept in a store, not in a {type(bp).__name__}: Sessions(backpack.open(path))"
            )
        self.bp = bp
        self._prefix = checked_key(prefix) + "."
        self._make_random = checked_callable("make_random", make_random)

    def create(self, title: str = "", **settings: Any) -> Conversation:
        """A new session; `settings` are those of `Conversation`. Its id is `id_of` the conversation. One commit."""
        checked_text("title", title, TITLE_SIZE_MAX, may_be_empty=True)
        while True:
            id = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in self._make_random(_ID_LENGTH))
            if self._key(id, "about") not in self.bp:
                break
        conversation = Conversation(self.bp, self._key(id, "messages"), **settings)  # wrong settings make no session
        self.bp.pack(self._key(id, "about"), {"title": title})
        return conversation

    def resume(self, id: str | Session, **settings: Any) -> Conversation:
        """The session of that id, or the only one whose id begins so, or one of the list. `SessionNotFoundError` names
        candidates."""
        return Conversation(self.bp, self._key(self.whole_id(id), "messages"), **settings)

    def id_of(self, conversation: Conversation) -> str:
        """The id of the session that a conversation is."""
        id = conversation.key.removeprefix(self._prefix).removesuffix(".messages")
        if self._key(id, "messages") != conversation.key or self._key(id, "about") not in self.bp:
            raise SessionNotFoundError(f"the conversation is no session here: key={conversation.key!r}", id=id)
        return id

    def list(self) -> builtins.list[Session]:
        """All sessions, the one that was active last first. Cost: reading what stands beside their messages."""
        found = [self._session(id) for id in self._ids()]
        return sorted(found, key=lambda one: (one.last_activity, one.id), reverse=True)

    def others(self) -> builtins.list[Session]:
        """The same of the conversations at keys of their own, which are no sessions here. O(keys of the store) more."""
        keys = [key for key in conversations_among(self.bp) if not key.startswith(self._prefix)]
        return sorted(map(self._other, keys), key=lambda one: (one.last_activity, one.key), reverse=True)

    def _other(self, key: str) -> Session:
        storage = Storage(self.bp, key)
        assert self.bp.head is not None  # there is a value, so there was a commit
        times = storage.times() or [self.bp.head.time]
        return self._told("", self._first_words(storage), storage, min(times))

    def session(self, id: str) -> Session:
        """What is known of a session."""
        return self._session(self.whole_id(id))

    def _session(self, id: str) -> Session:
        about = self.bp.item(self._key(id, "about"))
        value = about.value if isinstance(about.value, dict) else {}
        storage = Storage(self.bp, self._key(id, "messages"))
        assert self.bp.head is not None  # there is a value, so there was a commit
        title = str(value.get("title") or "") or self._first_words(storage)
        return self._told(id, title, storage, about.time or self.bp.head.time)

    def _told(self, id: str, title: str, storage: Storage, begun: datetime) -> Session:
        account = storage.account()
        return Session(
            id,
            title,
            account.messages,
            account.input,
            account.output,
            account.compressions,
            usd_of(account.picodollars),
            begun,
            max([begun, *storage.times()]),
            storage.keys.messages,
        )

    def delete(self, id: str) -> None:
        """Take a session out: one commit, so history still has it. `bp.purge` erases."""
        id = self.whole_id(id)
        start = f"{self._prefix}{id}."
        with self.bp.transaction(message=f"delete session {id}") as tx:
            for key in self.bp._keys_below(start):
                tx.delete(key)

    def whole_id(self, id: str | Session) -> str:
        """The id that begins so, or of a session. `SessionNotFoundError` when there is none, or several, with names."""
        if isinstance(id, Session):
            id = id.id
        if not isinstance(id, str):
            raise InvalidArgumentError(f"an id is a str, or a Session has it: type={type(id).__name__}")
        ids = [one for one in self._ids() if one.startswith(id)] if id else []
        if id in ids:
            return id
        if len(ids) == 1:
            return ids[0]
        if ids:
            shown = ", ".join(ids[:_SHOWN_IDS]) + (", ..." if len(ids) > _SHOWN_IDS else "")
            raise SessionNotFoundError(f"several sessions begin so: id={id!r}: {shown}; give more of the id", id=id)
        raise SessionNotFoundError(f"there is no session that begins so: id={id[:40]!r}; list() shows them", id=id)

    def _ids(self) -> builtins.list[str]:
        found = []
        for key in self.bp._keys_below(self._prefix):
            id, _, name = key.removeprefix(self._prefix).rpartition(".")
            if name == "about" and id and "." not in id:
                found.append(id)
        return found

    def _first_words(self, storage: Storage) -> str:
        """The beginning of what the user said first, for a session without a title."""
        try:
            values = storage.values()
        except CorruptionError:
            return ""
        first = next((one for one in map(view, values) if one.role == "user" and one.text.strip()), None)
        words = "" if first is None else " ".join(first.text[: 4 * _TITLE_LENGTH].split())
        return words if len(words) <= _TITLE_LENGTH else words[: _TITLE_LENGTH - 3].rstrip() + "..."

    def _key(self, id: str, name: str) -> str:
        return f"{self._prefix}{id}.{name}"
