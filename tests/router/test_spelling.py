from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.router.spelling import Spelling

KNOWN = frozenset({"house", "till", "there"})
SPELLING = Spelling(["cancel my contract", "my invoice", "Rechnung bezahlen", "contract", "address"], KNOWN)

REPAIRS = {
    "a letter too many": ("canncel", "cancel"),
    "a letter missing": ("contrct", "contract"),
    "a wrong letter": ("invoixe", "invoice"),
    "two letters swapped": ("contarct", "contract"),
    "first letter wrong": ("vancel", "cancel"),
    "german": ("rechnugn", "rechnung"),
    "in a sentence, with its signs": ("Please canecl, my INVOICE!", "Please cancel, my INVOICE!"),
}


@pytest.mark.parametrize(("text", "repaired"), REPAIRS.values(), ids=REPAIRS.keys())
def test_one_wrong_stroke_is_repaired(text: str, repaired: str) -> None:
    assert SPELLING.repair(text) == repaired


UNTOUCHED = {
    "a roster word": "contract",
    "a known word near a roster word": "house",
    "two edits away": "cntrct",
    "short words": "mt bil",
    "numbers": "order 4711x",
    "nothing near": "weather",
    "empty": "",
}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_other_text_is_left_alone(text: str) -> None:
    assert SPELLING.repair(text) == text


def test_the_more_frequent_word_wins() -> None:
    spelling = Spelling(["plan plan plan", "play"], frozenset())
    assert spelling.repair("plax") == "plan"


@given(st.text(max_size=60))
def test_a_repaired_text_needs_no_repair(text: str) -> None:
    once = SPELLING.repair(text)
    assert SPELLING.repair(once) == once


@given(st.permutations(["cancel my contract", "cancels", "canal", "contact", "contract", "contracts"]))
def test_the_order_of_texts_does_not_matter(texts: list[str]) -> None:
    spelling = Spelling(texts, frozenset())
    assert [spelling.repair(w) for w in ("contarct", "cancal", "conract")] == ["contract", "cancel", "contract"]
