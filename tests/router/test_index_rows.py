"""Ids of entries are Java's, so that a shared index has one point for one example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.router.index_rows import entry_id, java_hash, name_uuid


# Values of Java's `String.hashCode`, as its documentation's formula gives them by hand.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("ab", 31 * 97 + 98),
        ("hello", 99162322),
        ("polygenelubricants", -(2**31)),
        ("\N{GRINNING FACE}", 31 * 0xD83D + 0xDE00),
    ],
)
def test_a_hash_is_that_of_java(text: str, value: int) -> None:
    assert java_hash(text) == value


@given(st.text())
def test_a_hash_fits_into_a_signed_int(text: str) -> None:
    assert -(2**31) <= java_hash(text) < 2**31


def test_a_name_uuid_is_md5_of_the_text_alone() -> None:
    # MD5("a") is 0cc175b9c0f1b6a831c399e269772661; version and variant bits are set in it.
    assert str(name_uuid("a")) == "0cc175b9-c0f1-36a8-b1c3-99e269772661"
    assert name_uuid("a").version == 3


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("how much", "7b2c7b1e-aac5-364b-b015-7874821cfaa3"),
        ("wie hoch ist meine Rechnung? \N{FIRE}", "b542b8f3-2adc-31de-be1e-65feb495cc37"),
        ("polygenelubricants", "7e41a4f7-b99f-3300-a843-8e19932140ef"),
    ],
    ids=["ascii", "beyond the first plane", "negative hash"],
)
def test_the_id_of_an_example_is_the_one_that_java_makes(example: str, expected: str) -> None:
    assert entry_id("b-1", "view-bill", example) == expected
