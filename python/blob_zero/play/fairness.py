"""Deals that nobody can choose: the server fixes its secret first, the player cuts the pack, and both are shown later.

The hash of the secret is shown before the player cuts. Secret and cut together make the seed of the deals. So the
server cannot choose deals after the cut, and the player cannot choose them without the secret. After the game the
secret is shown, and anyone can check that it has the hash, and that the deals follow from it.
"""

import hashlib
import secrets


def new_secret() -> str:
    """A secret of 128 random bits, as text."""
    return secrets.token_hex(16)


def hash_of(secret: str) -> str:
    """The hash that is shown before the deal: SHA-256 of the secret's text, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def seed_of_game(secret: str, cut: str) -> int:
    """The seed of the deals: the first 63 bits of SHA-256 of `secret:cut`."""
    return _first_bits(f"{secret}:{cut}")


def seed_of_bots(secret: str, cut: str) -> int:
    """The seed of the bots' choices, from which no deal can be computed: the same of `bots:secret:cut`."""
    return _first_bits(f"bots:{secret}:{cut}")


def _first_bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
