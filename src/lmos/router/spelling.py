"""`Spelling`: repairs a customer's typing errors with the agents' own words, before anything else reads the message.

One wrong letter costs an encoder most of a word's meaning. Only words that nobody knows are touched, and only towards a
word that the roster uses: text in the roster's words stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

__all__ = ["Spelling"]

SHORTEST = 4
_WORD = re.compile(r"[^\W\d_]+")


class Spelling:
    """Finds roster words one edit away (a letter too many, missing or wrong, or two swapped).

    `texts` are those of the roster; `known` are words of the language, which are right even if the roster lacks them.
    """

    def __init__(self, texts: Iterable[str], known: frozenset[str]) -> None:
        self._known = known
        self._frequency = Counter(word for text in texts for word in _WORD.findall(text.casefold()))
        self._shortened: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._frequency):
            if len(word) >= SHORTEST:
                for form in _shortened(word):
                    self._shortened[form].append(word)

    def repair(self, text: str) -> str:
        """`text` with each unknown word replaced by the roster's most frequent word that is one edit away, if any."""
        return _WORD.sub(lambda match: self._repair_word(match.group()), text)

    def _repair_word(self, word: str) -> str:
        lower = word.casefold()
        if len(lower) < SHORTEST or lower in self._frequency or lower in self._known:
            return word
        near = {
            candidate
            for form in _shortened(lower)
            for candidate in self._shortened.get(form, ())
            if _one_edit(lower, candidate)
        }
        if not near:
            return word
        return min(near, key=lambda c: (-self._frequency[c], c[0] != lower[0], abs(len(c) - len(lower)), c))


def _shortened(word: str) -> set[str]:
    """`word` and all its forms without one letter: two words one edit apart share one of these."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def _one_edit(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes `a` into `b`."""
    if len(a) > len(b):
        a, b = b, a
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return len(b) - len(a) == 1 and a[start:] == b[start + 1 :]
    swapped = a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
    return a != b and (swapped or a[start + 1 :] == b[start + 1 :])
