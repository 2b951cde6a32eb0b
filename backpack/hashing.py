"""BLAKE2b from the module that has nothing else: `hashlib` brings all of OpenSSL, 3.5 MB of a process, for the same."""

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter that was built otherwise
    from hashlib import blake2b

__all__ = ["blake2b"]
