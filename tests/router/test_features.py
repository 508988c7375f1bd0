from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lmos.router.features import count_ngrams
from lmos.router.ngrams import NgramModel

TEXTS = st.lists(st.text(max_size=40), max_size=8)


def as_sets(text: str) -> set[int]:
    return set(count_ngrams([text]).columns.tolist())


@given(TEXTS)
def test_a_text_has_the_same_features_alone_and_in_a_batch(texts: list[str]) -> None:
    batch = count_ngrams(texts)
    for row, text in enumerate(texts):
        alone = count_ngrams([text])
        own = slice(int(batch.starts[row]), int(batch.starts[row + 1]))
        assert np.array_equal(batch.columns[own], alone.columns)
        assert np.array_equal(batch.values[own], alone.values)


@given(TEXTS.filter(bool), st.data())
def test_taking_rows_equals_counting_their_texts(texts: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=6))
    taken = count_ngrams(texts).take(np.array(rows, np.int64))
    counted = count_ngrams([texts[row] for row in rows])
    assert np.array_equal(taken.starts, counted.starts)
    assert np.array_equal(taken.columns, counted.columns)


def test_case_punctuation_and_digits_do_not_count() -> None:
    assert as_sets("Bill No. 17!") == as_sets("bill no 4711")


def test_related_words_share_most_features_and_others_none() -> None:
    assert len(as_sets("contract") & as_sets("contracts")) > len(as_sets("contract")) / 2
    assert not as_sets("bill") & as_sets("hugs")


def test_word_order_counts_through_pairs() -> None:
    assert as_sets("bill my contract") != as_sets("contract my bill")


def test_an_ngram_does_not_reach_over_a_word_bound() -> None:
    assert len(as_sets("ab cd")) == len(as_sets("ab")) + len(as_sets("cd")) + 1


def test_naive_bayes_prefers_the_capability_with_the_words() -> None:
    counts = count_ngrams(["pay my bill", "bill of may", "cancel my contract", "contract end"])
    model = NgramModel.fit(counts, np.array([0, 0, 1, 1]), 2)
    scores = model.scores(count_ngrams(["the bills", "contractual", "zzz", ""]))
    assert scores[0, 0] > scores[0, 1]
    assert scores[1, 1] > scores[1, 0]
    assert not scores[2:].any()


def test_scores_do_not_depend_on_the_batch() -> None:
    texts = [f"bill number {n} of my contract {n * 'x'}" for n in range(300)]
    model = NgramModel.fit(count_ngrams(texts), np.arange(300) // 100, 3)
    together = model.scores(count_ngrams(texts))
    assert np.allclose(together[123], model.scores(count_ngrams([texts[123]]))[0], atol=1e-5)
