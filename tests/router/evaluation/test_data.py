"""Files of labelled messages: what is read, and what is wrong with those that cannot be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lmos.router.base import RosterAgent, RosterCapability
from lmos.router.evaluation.data import DataError, read_agents, read_rows, roster_of, sets_of, training_rows

CSV = 'text,capability,agent,split,lang\n"pay, please",pay bill,billing,train,en\nWetter?,,none,test,de\n'


def file(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_rows_of_a_csv_file(tmp_path: Path, name: str) -> None:
    first, second = read_rows(file(tmp_path, name, CSV))
    assert (first.text, first.agent, first.capability, first.split, first.language) == (
        "pay, please",
        "billing",
        "pay_bill",
        "train",
        "en",
    )
    assert first.fields["capability"] == "pay bill"
    assert (first.foreign, second.foreign) == (False, True)
    assert first.accept == ("billing",)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson"])
def test_rows_of_a_json_lines_file(tmp_path: Path, name: str) -> None:
    record = {
        "text": "and\u2028then?",
        "agent": "billing",
        "accept": ["billing", "support"],
        "dialogue": "d1",
        "turn": 2,
        "kind": "follow",
        "history": [
            {"role": "user", "content": "my bill", "agent": "billing"},
            {"role": "assistant", "content": "39 EUR", "agent": "billing"},
        ],
    }
    (row,) = read_rows(file(tmp_path, name, json.dumps(record, ensure_ascii=False) + "\n\n"))
    assert (row.text, row.accept, row.dialogue, row.turn) == ("and\u2028then?", ("billing", "support"), "d1", 2)
    assert [message.content for message in row.history] == ["my bill", "39 EUR"]
    assert row.previous == "billing"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert len(read_rows(file(tmp_path, "a.csv", b"\xef\xbb\xbf" + CSV.encode()))) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "x", "the name does not say what it holds"),
        ("a.csv", "", "a.csv:1: no column agent and text"),
        ("a.csv", "text,label\nx,y\n", r"a.csv:1: no column agent; fix: add it to the header \(has: text, label\)"),
        ("a.csv", "text,agent\n", "no rows"),
        ("a.csv", "text,agent\nx\n", "a.csv:2: 2 fields expected"),
        ("a.csv", "text,agent\nx,y,z\n", "a.csv:2: 2 fields expected"),
        ("a.csv", 'text,agent\n"x,y\n', "is no CSV"),
        ("a.csv", "text,agent\nx,\n", "a.csv:2: agent is empty"),
        ("a.csv", b"text,agent\nx,y\n\xff,z\n", "a.csv:3: is not UTF-8"),
        ("a.csv", "text,agent,turn\nx,y,one\n", "a.csv:2: turn is 'one', not a number"),
        ("a.jsonl", "{}\n", "a.jsonl:1: no text"),
        ("a.jsonl", '{"text": 3, "agent": "a"}', "a.jsonl:1: text is 3, not text"),
        ("a.jsonl", '{"text": "a"', "a.jsonl:1: is no JSON"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: is no JSON"),
        ("a.jsonl", "[1]", "a.jsonl:1: is list, not an object"),
        ("a.jsonl", '{"text": "x", "agent": "a", "accept": 1}', "accept is 1, not a list of names"),
        ("a.jsonl", '{"text": "x", "agent": "a", "history": [{"role": "bot"}]}', "history holds {'role': 'bot'}"),
        ("a.jsonl", '{"text": "x", "agent": "a", "history": "hi"}', "history is 'hi'"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_line_and_fix(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_rows(file(tmp_path, name, text))
    assert "fix: " in str(caught.value)


def test_a_file_that_only_claims_to_be_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_text(CSV)
    with pytest.raises(DataError, match="is no gzip file"):
        read_rows(path)


def rows(tmp_path: Path, *splits: str, agent: str = "a") -> list[Any]:
    lines = "".join(f"text {n},{agent},{split}\n" for n, split in enumerate(splits))
    return read_rows(file(tmp_path, "rows.csv", "text,agent,split\n" + lines))


def test_the_split_column_divides_one_file(tmp_path: Path) -> None:
    sets = sets_of(rows(tmp_path, "train", "valid", "test", "train"), None)
    assert (len(sets.train), len(sets.test)) == (2, 1)
    assert sets.how == "learnt from split 'train', measured on split 'test'"


@pytest.mark.parametrize("split", ["dev", "valid", "validation"])
def test_a_file_without_test_rows_is_measured_on_its_other_split(tmp_path: Path, split: str) -> None:
    assert sets_of(rows(tmp_path, "train", split), None).test[0].split == split


def test_two_files_need_no_split_column(tmp_path: Path) -> None:
    sets = sets_of(rows(tmp_path, ""), rows(tmp_path, "", ""))
    assert (len(sets.train), len(sets.test)) == (2, 1)


def test_splits_can_be_named(tmp_path: Path) -> None:
    found = rows(tmp_path, "train_10", "train_5", "train_5", "final")
    sets = sets_of(found, found, train_split="train_5", test_split="final")
    assert (len(sets.train), len(sets.test)) == (2, 1)


@pytest.mark.parametrize(
    ("splits", "options", "message"),
    [
        (("a", "b"), {}, r"no split 'train'; fix: name one with --train-split \(the file has 'a', 'b'\)"),
        (("train",), {}, "no split 'test' or 'dev' or 'valid' or 'validation'; fix: name one with --test-split"),
        (("train", "test"), {"test_split": "final"}, "no split 'final'"),
    ],
)
def test_a_missing_split_is_told_with_those_there_are(
    tmp_path: Path, splits: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        sets_of(rows(tmp_path, *splits), None, **options)


def test_messages_for_nobody_are_not_learnt_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all are labelled none"):
        training_rows(rows(tmp_path, "train", agent="none"))


def test_a_roster_has_descriptions_of_one_file_and_examples_of_both(tmp_path: Path) -> None:
    agents = [
        {
            "name": "billing",
            "description": "Bills",
            "capabilities": [{"name": "pay bill", "description": "Pays", "examples": ["pay now"]}],
        },
        {"name": "support"},
    ]
    described = read_agents(file(tmp_path, "agents.json", json.dumps(agents)))
    roster = roster_of(read_rows(file(tmp_path, "a.csv", CSV))[:1], described)
    assert roster.agents == (
        RosterAgent("billing", "", "Bills", (RosterCapability("pay_bill", "", "Pays", ("pay now", "pay, please")),)),
        RosterAgent("support"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("{}", "is dict, not a list"),
        ("[1]", "agent 1: is 1, not an object"),
        ('[{"description": "x"}]', "agent 1: no name"),
        ('[{"name": "a"}, {"name": "b", "capabilities": {}}]', None),
        ('[{"name": "a", "capabilities": [3]}]', "agent 1, capability 1: is 3"),
        ('[{"name": "a", "capabilities": [{"name": "c", "examples": "x"}]}]', "examples is 'x'"),
    ],
)
def test_a_file_of_agents_that_is_wrong_is_told(tmp_path: Path, text: str, message: str | None) -> None:
    path = file(tmp_path, "agents.json", text)
    if message is None:
        assert len(read_agents(path)) == 2
    else:
        with pytest.raises(DataError, match=message):
            read_agents(path)
