"""Covers that encrypt: AES-256-GCM or ChaCha20-Poly1305, of the package `cryptography`.

    header = format (u8 = 1), kind (u8: 1 key of a file, 2 secret of a store), algorithm (u8: 1 AES-256-GCM,
             2 ChaCha20-Poly1305), key id (8 bytes), nonce (12 bytes), wrapped (32 + 16 bytes)
    piece  = nonce (12 bytes), sealed (the size of the data + 16 bytes)
    nonce  = salt (10 bytes at random), count (u16, big-endian)

**Keys.** Each file has a data key of its own, 32 random bytes, which stands wrapped in the header of the file:
encrypted by the master key with AES-256-GCM, a random nonce, and as associated data what goes before the nonce in the
header and the id of the store. A key id is a hash of the master key. Rotation writes the same data key wrapped by the
new master key, in a header of the same size; the pieces stay as they are, so nothing that is bound to them names the
master key.

**Why a nonce never repeats under a data key.** Its last two bytes count the pieces that this object has covered; after
65,536 of them the salt is drawn anew, and another object (the file was reopened) or a forked child draws its own. So
within one run of 65,536 pieces nonces differ by counting, and for two runs to share one their 80 random bits must be
equal. A file whose key has seen r runs has had such an accident with a probability below r * r / 2**81: for a million
runs less than 2**-41. The place of a piece is not what the nonce is made of: after a crash, or a write for which the
disk was full, another frame is written at the same place, and whoever has seen both would have the key stream of one.
Nothing needs to be remembered from one opening to the next, so no crash and no restored backup can turn a counter back.
(A copy of a running virtual machine has the same salt and count: both must not go on with one store, as ever.)

**What is bound.** The associated data of a piece are the id of the store, the algorithm, the name of the file and the
place, each with its size before it. So no piece stands for another, in no other file and in no other store, and a file
whose header was exchanged for that of another can't be read. An older state of a whole file, put back by someone who
can write the folder, is a state that once was true: that is for the archive to notice.

The secret of a store keys the digests that name blobs, so that nobody without it can tell whether a blob holds some
content. It outlives every master key: `sealed_secret` is it, wrapped, and the store keeps that.

Cost: 1 us (AES) or 2 us and 28 bytes a piece, and for long ones what the cipher takes; 5 us a file.
"""

import os
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final, Literal, Protocol

from backpack.errors import CorruptionError, InvalidArgumentError, WrongKeyError
from backpack.hashing import blake2b
from backpack.limits import MIB
from backpack.storage import process
from backpack.storage.cover import DIGEST_SIZE

Key = bytes | Callable[[str], bytes]
"""32 bytes, or what knows them: called with `""` it gives the present key, with a key id the key of that id, and it
raises a LookupError for one that it doesn't know."""

Algorithm = Literal["aes-256-gcm", "chacha20-poly1305"]

KEY_SIZE: Final = 32
HEADER_SIZE: Final = 71
OVERHEAD: Final = 28
PIECE_SIZE_MAX: Final = 1024 * MIB
"""Bytes of one piece: the ciphers stop at 2 GiB, and a size from a damaged file shall not come near."""

_FORMAT: Final = 1
_FILE_KEY: Final = 1
_STORE_SECRET: Final = 2
_ALGORITHMS: Final[dict[Algorithm, int]] = {"aes-256-gcm": 1, "chacha20-poly1305": 2}
_ID_SIZE: Final = 8
_NONCE_SIZE: Final = 12
_RUN_BITS: Final = 16


class _Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


def key_id(key: bytes) -> str:
    """What headers call a master key: 16 hex digits. Says nothing about a key that is random, as it has to be."""
    return _id_of(_checked(key)).hex()


class KeyedCovers:
    """The covers of one encrypted store.

    `sealed_secret` is what the store kept of the property of that name; None for a store that is new. `WrongKeyError`
    when the secret was sealed with another key, `CorruptionError` when it is no such secret, `InvalidArgumentError` (a
    ValueError) for a key that isn't 32 bytes or when `cryptography` is missing.
    """

    __slots__ = ("_algorithm", "_ids", "_key", "_present", "_sealed_secret", "_secret", "_store_id")

    def __init__(
        self,
        key: Key,
        *,
        store_id: bytes,
        sealed_secret: bytes | None = None,
        algorithm: Algorithm = "aes-256-gcm",
    ) -> None:
        if algorithm not in _ALGORITHMS:
            raise InvalidArgumentError(f"no such algorithm: {algorithm=}; there are {', '.join(_ALGORITHMS)}")
        self._algorithm = _ALGORITHMS[algorithm]
        self._key = key
        self._store_id = store_id
        self._present = _checked(key("") if callable(key) else key)
        _cipher(self._algorithm, self._present)  # says at once that the package is missing
        if sealed_secret is None:
            self._secret = os.urandom(KEY_SIZE)
            self._sealed_secret = self._wrapped(_STORE_SECRET, self._algorithm, self._secret)
        else:
            self._secret = self._unwrapped(_STORE_SECRET, sealed_secret, "the secret of the store")
            self._sealed_secret = sealed_secret

    @property
    def sealed_secret(self) -> bytes:
        """Goes in clear where the store keeps its own facts, and is given back on the next opening."""
        return self._sealed_secret

    @property
    def key_id(self) -> str:
        """The id of the master key for new files."""
        return _id_of(self._present).hex()

    def fresh(self, name: bytes) -> "KeyedCover":
        data_key = os.urandom(KEY_SIZE)
        header = self._wrapped(_FILE_KEY, self._algorithm, data_key)
        return KeyedCover(_cipher(self._algorithm, data_key), header, self._bound(self._algorithm, name), _text(name))

    def known(self, name: bytes, header: bytes) -> "KeyedCover":
        if not header:
            raise _damaged("the file is not encrypted and the store is, so someone put it there", _text(name))
        data_key = self._unwrapped(_FILE_KEY, header, _text(name))
        return KeyedCover(_cipher(header[2], data_key), header, self._bound(header[2], name), _text(name))

    def digest(self, chunks: Iterable[bytes]) -> bytes:
        state = blake2b(digest_size=DIGEST_SIZE, key=self._secret, person=b"backpack digest")
        for chunk in chunks:
            state.update(chunk)
        return state.digest()

    def rewrapped(self, header: bytes) -> bytes:
        """That header, or sealed secret, under the present master key; of the same size, and all pieces fit it."""
        kind = header[1] if len(header) == HEADER_SIZE else 0
        if kind not in (_FILE_KEY, _STORE_SECRET):
            raise _damaged("no header of an encrypted file", "a header")
        return self._wrapped(kind, header[2], self._unwrapped(kind, header, "a header"))

    def __repr__(self) -> str:
        return f"<KeyedCovers key_id={self.key_id}>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")

    def _wrapped(self, kind: int, algorithm: int, secret: bytes) -> bytes:
        prefix = bytes((_FORMAT, kind, algorithm)) + _id_of(self._present)
        nonce = os.urandom(_NONCE_SIZE)
        return prefix + nonce + _cipher(1, self._present).encrypt(nonce, secret, prefix + self._store_id)

    def _unwrapped(self, kind: int, header: bytes, where: str) -> bytes:
        if len(header) != HEADER_SIZE or header[:2] != bytes((_FORMAT, kind)) or header[2] not in (1, 2):
            raise _damaged("no header of an encrypted file that is known here", where)
        prefix, nonce, wrapped = header[:11], header[11:23], header[23:]
        key = self._key_of(prefix[3:], where)
        secret = _opened(_cipher(1, key), nonce, wrapped, prefix + self._store_id)
        if secret is None or len(secret) != KEY_SIZE:
            raise _damaged("the header of an encrypted file is damaged, or of another store", where)
        return secret

    def _key_of(self, wanted: bytes, where: str) -> bytes:
        if wanted == _id_of(self._present):
            return self._present
        found = None
        if callable(self._key):
            try:
                found = _checked(self._key(wanted.hex()))
            except LookupError:
                found = None
        if found is None or _id_of(found) != wanted:
            raise WrongKeyError(
                f"encrypted with another key: file={where!r} key_id={wanted.hex()} given={self.key_id}; "
                "give that key, or a callable that finds keys by their id",
                key_id=wanted.hex(),
                file=where,
            )
        return found

    def _bound(self, algorithm: int, name: bytes) -> bytes:
        return bytes((_FORMAT, algorithm)) + _sized(self._store_id) + _sized(name)


class KeyedCover:
    """The cover of one encrypted file. Any number of threads may use it."""

    __slots__ = ("_bound", "_cipher", "_count", "_file", "_header", "_pid", "_salts")

    def __init__(self, cipher: _Cipher, header: bytes, bound: bytes, file: str) -> None:
        self._cipher = cipher
        self._header = header
        self._bound = bound
        self._file = file
        self._count = count()
        self._salts: dict[int, bytes] = {}
        self._pid = process.pid

    @property
    def header(self) -> bytes:
        return self._header

    @property
    def overhead(self) -> int:
        return OVERHEAD

    def cover(self, data: bytes, place: bytes) -> bytes:
        if len(data) > PIECE_SIZE_MAX:
            raise InvalidArgumentError(f"a piece of a file is too large: size={len(data)} limit={PIECE_SIZE_MAX}")
        if self._pid != process.pid:  # a fork: its parent goes on with those nonces
            self._salts, self._pid = {}, process.pid
        number = next(self._count)
        run = number >> _RUN_BITS
        salt = self._salts.get(run) or self._salts.setdefault(run, os.urandom(10))
        nonce = salt + (number & 0xFFFF).to_bytes(2, "big")
        return nonce + self._cipher.encrypt(nonce, data, self._bound + place)

    def uncover(self, data: bytes, place: bytes) -> bytes:
        if OVERHEAD <= len(data) <= PIECE_SIZE_MAX + OVERHEAD:
            opened = _opened(self._cipher, data[:_NONCE_SIZE], data[_NONCE_SIZE:], self._bound + place)
            if opened is not None:
                return opened
        raise _damaged(f"a piece was changed, or is another one: place={place!r} size={len(data)}", self._file)

    def __repr__(self) -> str:
        return f"<KeyedCover of {self._file!r}>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


def _checked(key: bytes) -> bytes:
    if not isinstance(key, bytes) or len(key) != KEY_SIZE:
        given = f"size={len(key)}" if isinstance(key, bytes) else f"type={type(key).__name__}"
        raise InvalidArgumentError(f"a key is {KEY_SIZE} random bytes: {given}; os.urandom({KEY_SIZE}) makes one")
    return key


def _id_of(key: bytes) -> bytes:
    return blake2b(key, digest_size=_ID_SIZE, person=b"backpack key id").digest()


def _cipher(algorithm: int, key: bytes) -> _Cipher:
    try:  # not before it is needed: it takes 7 MB
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    except ImportError:
        raise InvalidArgumentError(
            "an encrypted store needs the package cryptography: pip install 'backpack-state[encryption]'"
        ) from None
    return AESGCM(key) if algorithm == 1 else ChaCha20Poly1305(key)


def _opened(cipher: _Cipher, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
    """What was sealed; None when it is not that."""
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, sealed, bound)
    except InvalidTag:
        return None


def _sized(field: bytes) -> bytes:
    return len(field).to_bytes(4, "big") + field


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _damaged(what: str, file: str) -> CorruptionError:
    return CorruptionError(f"{what}: file={file!r}", file=file)
