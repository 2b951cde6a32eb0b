"""Covers: none, and authenticated encryption."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from hashlib import blake2b
from typing import Any

import pytest

from backpack.errors import CorruptionError, InvalidArgumentError, WrongKeyError
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.encryption import HEADER_SIZE, OVERHEAD, KeyedCover, KeyedCovers, key_id

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
STORE = b"store 0123456789"


def keyed(algorithm: Any = "aes-256-gcm") -> KeyedCovers:
    return KeyedCovers(KEY, store_id=STORE, algorithm=algorithm)


def again(covers: KeyedCovers, key: Any = KEY, store_id: bytes = STORE) -> KeyedCovers:
    """The covers of a store that is opened again."""
    return KeyedCovers(key, store_id=store_id, sealed_secret=covers.sealed_secret)


EVERY = {
    "plain": lambda: PLAIN,
    "aes": lambda: keyed("aes-256-gcm"),
    "chacha": lambda: keyed("chacha20-poly1305"),
}


@pytest.fixture(params=EVERY)
def covers(request: Any) -> Covers:
    return EVERY[request.param]()


@pytest.fixture(params=["aes-256-gcm", "chacha20-poly1305"])
def secret(request: Any) -> KeyedCovers:
    return keyed(request.param)


# -- every kind --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 100_000], ids=len)
def test_what_was_covered_is_uncovered(covers: Covers, data: bytes) -> None:
    cover = covers.fresh(b"log.1")
    covered = cover.cover(data, b"block:17")
    assert len(covered) == len(data) + cover.overhead
    assert cover.uncover(covered, b"block:17") == data
    assert covers.known(b"log.1", cover.header).uncover(covered, b"block:17") == data
    assert len(cover.header) <= 255


def test_a_digest_is_of_the_content_and_not_of_its_chunks(covers: Covers) -> None:
    digest = covers.digest([b"one", b"", b"two"])
    assert len(digest) == 32
    assert digest == covers.digest(iter([b"onetwo"])) != covers.digest([b"onetwo!"])


def test_a_plain_digest_is_blake2b() -> None:
    assert PLAIN.digest([b"abc"]) == blake2b(b"abc", digest_size=32).digest()


# -- what encryption keeps -----------------------------------------------------------------------------------------


def test_nothing_of_the_data_is_seen(secret: KeyedCovers) -> None:
    assert b"SECRETWORD" not in secret.fresh(b"log.1").cover(b"SECRETWORD" * 100, b"0")


def test_every_flipped_bit_of_a_piece_is_noticed(secret: KeyedCovers) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"some data", b"0")
    for bit in range(len(covered) * 8):
        changed = bytearray(covered)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptionError, match=r"log\.1"):
            cover.uncover(bytes(changed), b"0")


def test_every_cut_of_a_piece_is_noticed(secret: KeyedCovers) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"some data", b"0")
    for size in range(len(covered)):
        with pytest.raises(CorruptionError):
            cover.uncover(covered[:size], b"0")
    with pytest.raises(CorruptionError):
        cover.uncover(covered + b"\0", b"0")


def test_a_piece_stands_for_no_other(secret: KeyedCovers) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"data", b"block:1")
    with pytest.raises(CorruptionError) as caught:
        cover.uncover(covered, b"block:2")
    assert caught.value.file == "log.1"
    other_file = again(secret).known(b"log.2", cover.header)  # a file that was renamed
    with pytest.raises(CorruptionError):
        other_file.uncover(covered, b"block:1")
    with pytest.raises(CorruptionError):
        secret.fresh(b"log.1").uncover(covered, b"block:1")  # its header was exchanged


def test_name_and_place_can_not_run_into_each_other(secret: KeyedCovers) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"data", b"2:x")
    with pytest.raises(CorruptionError):
        secret.known(b"log.12", cover.header).uncover(covered, b":x")


def test_every_flipped_bit_of_a_header_is_noticed(secret: KeyedCovers) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"some data", b"0")
    assert len(cover.header) == HEADER_SIZE
    for bit in range(HEADER_SIZE * 8):
        changed = bytearray(cover.header)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptionError):
            secret.known(b"log.1", bytes(changed)).uncover(covered, b"0")
    for size in range(1, HEADER_SIZE):
        with pytest.raises(CorruptionError):
            secret.known(b"log.1", cover.header[:size])


def test_plain_text_in_an_encrypted_store_is_refused_and_the_reverse(secret: KeyedCovers) -> None:
    with pytest.raises(CorruptionError, match="not encrypted"):
        secret.known(b"log.1", b"")
    with pytest.raises(CorruptionError, match="encrypted"):
        PLAIN.known(b"log.1", secret.fresh(b"log.1").header)


def test_nothing_goes_from_one_store_to_another(secret: KeyedCovers) -> None:
    header = secret.fresh(b"log.1").header
    with pytest.raises(CorruptionError):
        KeyedCovers(KEY, store_id=b"another").known(b"log.1", header)
    with pytest.raises(CorruptionError):
        again(secret, store_id=b"another")


def test_the_key_of_a_file_and_the_secret_of_the_store_are_not_exchanged(secret: KeyedCovers) -> None:
    with pytest.raises(CorruptionError):
        secret.known(b"log.1", secret.sealed_secret)
    with pytest.raises(CorruptionError):
        KeyedCovers(KEY, store_id=STORE, sealed_secret=secret.fresh(b"log.1").header)


def test_an_oversized_piece_is_refused(secret: KeyedCovers, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = secret.fresh(b"log.1")
    covered = cover.cover(b"x" * 11, b"0")
    monkeypatch.setattr("backpack.storage.encryption.PIECE_SIZE_MAX", 10)
    with pytest.raises(InvalidArgumentError):
        cover.cover(b"x" * 11, b"0")
    with pytest.raises(CorruptionError):
        cover.uncover(covered, b"0")


# -- nonces --------------------------------------------------------------------------------------------------------


def test_no_nonce_repeats_over_runs_openings_and_threads(secret: KeyedCovers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backpack.storage.encryption._RUN_BITS", 4)
    first = secret.fresh(b"log.1")
    every = [first, *(secret.known(b"log.1", first.header) for _ in range(20))]
    nonces: list[bytes] = []

    def write(cover: KeyedCover) -> None:
        for _ in range(100):
            nonces.append(cover.cover(b"the same", b"the same place")[:12])

    threads = [threading.Thread(target=write, args=(cover,)) for cover in every for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(nonces)) == len(nonces) == 4200


def test_a_run_ends_before_its_count_does() -> None:
    cover = keyed().fresh(b"log.1")
    nonces = [cover.cover(b"", b"")[:12] for _ in range(2**16 + 3)]
    assert len({nonce[:10] for nonce in nonces[: 2**16]}) == 1
    assert [nonce[10:] for nonce in nonces[-3:]] == [b"\0\0", b"\0\1", b"\0\2"]
    assert len(set(nonces)) == len(nonces)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_has_nonces_of_its_own() -> None:
    cover = keyed().fresh(b"log.1")
    cover.cover(b"one", b"")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, cover.cover(b"child's", b"")[:12])
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 12) != cover.cover(b"parent", b"")[:12]
    os.close(reading)
    os.close(writing)


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, "x" * 32, None, bytearray(32)], ids=repr)
def test_a_key_is_32_bytes(key: Any) -> None:
    for act in (lambda: KeyedCovers(key, store_id=STORE), lambda: KeyedCovers(lambda _: key, store_id=STORE)):
        with pytest.raises(ValueError, match="32 random bytes") as caught:
            act()
        assert "xxxx" not in str(caught.value)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="rot13"):
        keyed("rot13")


def test_another_key_is_told_from_damage() -> None:
    covers = keyed()
    with pytest.raises(WrongKeyError) as caught:
        again(covers, OTHER_KEY)
    assert caught.value.key_id == key_id(KEY)
    assert key_id(OTHER_KEY) in str(caught.value)
    with pytest.raises(WrongKeyError):
        KeyedCovers(OTHER_KEY, store_id=STORE).known(b"log.1", covers.fresh(b"log.1").header)


def test_a_callable_finds_old_keys() -> None:
    old = keyed()
    header, covered = (file := old.fresh(b"log.1")).header, file.cover(b"data", b"0")
    ring = {key_id(KEY): KEY, "": OTHER_KEY}
    covers = again(old, ring.__getitem__)
    assert covers.key_id == key_id(OTHER_KEY)
    assert covers.known(b"log.1", header).uncover(covered, b"0") == b"data"
    assert again(covers, {"": KEY}.__getitem__).digest([b"x"]) == old.digest([b"x"])
    with pytest.raises(WrongKeyError):
        again(old, {"": OTHER_KEY}.__getitem__)
    with pytest.raises(WrongKeyError):
        again(old, lambda _: OTHER_KEY)  # says that it has the key, and has not


def test_rotation_rewraps_and_touches_no_piece(secret: KeyedCovers) -> None:
    file = secret.fresh(b"log.1")
    covered, digest = file.cover(b"data", b"0"), secret.digest([b"a blob"])
    both = again(secret, lambda wanted: KEY if wanted == key_id(KEY) else OTHER_KEY)
    header, sealed = both.rewrapped(file.header), both.rewrapped(secret.sealed_secret)
    assert len(header) == len(file.header) and len(sealed) == len(secret.sealed_secret)
    new = KeyedCovers(OTHER_KEY, store_id=STORE, sealed_secret=sealed)
    assert new.known(b"log.1", header).uncover(covered, b"0") == b"data"
    assert new.digest([b"a blob"]) == digest
    with pytest.raises(WrongKeyError):
        secret.known(b"log.1", header)


@pytest.mark.parametrize("header", [b"", b"x", b"x" * HEADER_SIZE, bytes(HEADER_SIZE)], ids=len)
def test_only_headers_are_rewrapped(header: bytes) -> None:
    with pytest.raises(CorruptionError):
        keyed().rewrapped(header)


def test_digests_of_two_stores_differ_and_stay() -> None:
    one, two = keyed(), keyed()
    assert one.digest([b"x"]) != two.digest([b"x"])
    assert one.digest([b"x"]) == again(one).digest([b"x"])
    assert one.digest([b"x"]) != PLAIN.digest([b"x"])


def test_no_key_is_shown_copied_or_pickled() -> None:
    covers = keyed()
    for thing in (covers, covers.fresh(b"log.1")):
        assert "kkkk" not in repr(thing)
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                act(thing)


def test_without_the_package_the_message_says_what_to_install() -> None:
    program = """
import sys
sys.modules["cryptography"] = None
from backpack.storage.encryption import KeyedCovers
try:
    KeyedCovers(bytes(32), store_id=b"")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "backpack-state[encryption]" in done.stdout


def test_the_overhead_is_what_it_says() -> None:
    assert keyed().fresh(b"a").overhead == OVERHEAD == len(keyed().fresh(b"a").cover(b"", b""))


def test_a_store_without_a_key_needs_no_cryptography() -> None:
    command = "import sys, backpack; sys.exit(any(name.partition('.')[0] == 'cryptography' for name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run([sys.executable, "-c", command], env=environment).returncode == 0


def test_without_cryptography_an_encrypted_store_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(InvalidArgumentError, match="encryption"):
        keyed()
