"""How the router reads text: one normal form, words, and language. Pure string functions; no vectors, no agents."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_CHARACTERS", "humanise", "normalise", "readable", "words"]

# A customer's question is short. What a longer text adds is noise, and cost that an attacker would choose.
MAX_CHARACTERS = 2000

_DIGITS = re.compile(r"\d+")
_NOT_WORD = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def readable(text: str) -> str:
    """`text` in Unicode's composed form without control characters and lone surrogates, at most `MAX_CHARACTERS`."""
    return unicodedata.normalize("NFKC", _CONTROL.sub(" ", text[:MAX_CHARACTERS])).strip()


def normalise(text: str) -> str:
    """The form in which two texts count as equal: lower case, each number `0`, words parted by one space.

    An apostrophe inside a word vanishes, so that "what's" and "whats" are one word.
    """
    text = readable(text).casefold().replace("'", "").replace("’", "")
    return _NOT_WORD.sub(" ", _DIGITS.sub("0", text)).strip()


def words(text: str) -> list[str]:
    """The words of `text` in normal form."""
    return normalise(text).split()


def humanise(name: str) -> str:
    """An identifier as people would say it: `view-bill`, `viewBill` and `view_bill` become `view bill`."""
    return _NOT_WORD.sub(" ", _CAMEL.sub(" ", readable(name))).strip().casefold()
