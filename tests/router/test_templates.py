"""Prompts: ours, and those with which users replace them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.router.base import ClassifierError
from lmos.router.templates import KINDS, Prompts


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_prompt_has_a_text_of_ours_in_each_language(kind: str, language: str) -> None:
    text = Prompts().render(kind, "de" if language == "de" else "en", {})
    assert ("Antworten Sie" in text) == (language == "de")
    assert "{{" not in text


def test_the_roster_and_the_current_agent_stand_in_the_prompt() -> None:
    text = Prompts().render(
        "route", "en", {"roster": '[{"name":"<b>&"}]', "current_agent": "billing", "tenant": "acme"}
    )
    assert '[{"name":"<b>&"}]' in text
    assert "with billing at the moment" in text
    assert "switchboard of acme" in text


def test_without_a_current_agent_the_prompt_says_nothing_of_one() -> None:
    assert "at the moment" not in Prompts().render("route", "en", {})


def test_a_file_replaces_one_prompt_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "route.de.jinja").write_text("Wer? {% for agent in agents %}{{ agent.name }};{% endfor %}")
    prompts = Prompts(tmp_path)
    assert prompts.render("route", "de", {"agents": [{"name": "a"}, {"name": "b"}]}) == "Wer? a;b;"
    assert "switchboard" in prompts.render("route", "en", {})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("route.en.jinja", "{% if %}", "The prompt 'route.en.jinja' is no template: syntax error"),
        ("route.en.jinja", "{{ rooster }}", "undefined value: `rooster` is undefined"),
        ("route.en.jinja", "{{ agents[0].nam }}", "undefined value"),
        ("clarify.de.jinja", "{% include 'x' %}", "The prompt 'clarify.de.jinja'"),
        ("route.fr.jinja", "Qui?", "There is no prompt 'route.fr.jinja' to replace: name it one of"),
    ],
    ids=["syntax", "unknown variable", "unknown member", "inclusion", "unknown name"],
)
def test_a_prompt_that_cannot_work_is_refused_when_it_is_loaded(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ClassifierError, match=message.replace("[", r"\[")):
        Prompts(tmp_path)


def test_an_endless_template_runs_out_of_fuel(tmp_path: Path) -> None:
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    (tmp_path / "route.en.jinja").write_text(loop)
    with pytest.raises(ClassifierError, match="fuel"):
        Prompts(tmp_path)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="does not exist: see LMOS_ROUTER_PROMPTS"):
        Prompts(tmp_path / "missing")


def test_a_template_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "route.en.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(ClassifierError, match="is not UTF-8"):
        Prompts(tmp_path)
