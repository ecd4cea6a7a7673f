"""The rule variants by name, for the command line."""

from blob_zero import _core
from blob_zero.errors import ConfigError

RULE_NAMES = "no_hook, exact_plus_tricks, turn_up"
"""The variants, for help texts and error messages; `RoundRules` says what they change."""


def parse_rules(text: str) -> _core.RoundRules:
    """Reads a list such as `no_hook,turn_up`; Blob's own rules if it is empty.

    Raises:
        ConfigError: a name is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in RULE_NAMES.split(", "):
            raise ConfigError(f"unknown rule {name!r}: should be some of {RULE_NAMES}, with commas between them")
    return _core.RoundRules(
        hook="no_hook" not in names,
        scoring="exact_plus_tricks" if "exact_plus_tricks" in names else "exact",
        turn_up="turn_up" in names,
    )
