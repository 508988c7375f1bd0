"""Manifests: what loads, and how each mistake is told."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lmos.resources import yaml_tree
from lmos.resources.agent import Agent, AgentSpec, Endpoint
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel
from lmos.resources.kinds import KINDS
from lmos.resources.loader import Loaded, ManifestError, load
from lmos.resources.validation import Place, Problem

AGENT = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata:
  name: billing
spec:
  supportedChannels: [web]
  providedCapabilities:
    - name: view-bill
      version: 1.2.0
      examples:
        - show my bill
"""

CHANNEL = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata:
  name: web
  labels: {tenant: acme, channel: web}
spec:
  requiredCapabilities:
    - name: view-bill
      version: ^1.0.0
"""


@pytest.fixture(params=[True, False], ids=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both of PyYAML's parsers: an installation may have only the one in Python."""
    if not request.param:
        monkeypatch.setattr(yaml_tree, "_LOADER", yaml.SafeLoader)
    return request.param


def read(text: str | bytes) -> list[Loaded]:
    return load(["-"], stdin=io.BytesIO(text.encode() if isinstance(text, str) else text))


def problems(text: str | bytes) -> list[Problem]:
    with pytest.raises(ManifestError) as caught:
        read(text)
    return list(caught.value.problems)


def the_problem(text: str | bytes) -> Problem:
    (problem,) = problems(text)
    return problem


# -- what loads -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
def test_documents_load_in_order_with_their_places() -> None:
    billing, web = read(f"# comment\n---\n{AGENT}---\n{CHANNEL}")
    assert isinstance(billing.resource, Agent)
    assert billing.resource.spec.provided_capabilities[0].examples == ("show my bill",)
    assert billing.source == "stdin:3"
    assert isinstance(web.resource, Channel)
    assert web.source == "stdin:15"


def test_an_empty_document_between_others_is_passed_over() -> None:
    assert len(read(f"---\n---\n{AGENT}---\n# nothing\n---\nnull\n")) == 1


def test_a_list_is_its_items() -> None:
    items = "\n".join(f"- {text.replace(chr(10), chr(10) + '  ').strip()}" for text in (AGENT, CHANNEL))
    loaded = read(f"apiVersion: v1\nkind: List\nmetadata: {{}}\nitems:\n{items}\n")
    assert [(entry.resource.KIND, entry.source) for entry in loaded] == [("Agent", "stdin:5"), ("Channel", "stdin:16")]


def test_json_is_yaml_too() -> None:
    (loaded,) = read('{"apiVersion": "lmos.eclipse/v1", "kind": "Agent", "metadata": {"name": "billing"}}')
    assert loaded.resource.metadata.name == "billing"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf" + AGENT.encode())[0].resource.metadata.name == "billing"


def test_text_on_standard_input_loads_like_bytes() -> None:
    (loaded,) = load(["-"], stdin=io.StringIO(AGENT))
    assert loaded.resource.metadata.name == "billing"


def test_a_resource_without_namespace_gets_the_default() -> None:
    (loaded,) = load(["-"], default_namespace="shop", stdin=io.StringIO(AGENT))
    assert loaded.resource.metadata.namespace == "shop"


def test_a_resource_keeps_its_own_namespace() -> None:
    text = AGENT.replace("name: billing", "name: billing\n  namespace: mine")
    (loaded,) = load(["-"], default_namespace="shop", stdin=io.StringIO(text))
    assert loaded.resource.metadata.namespace == "mine"


def test_one_name_in_two_namespaces_is_two_objects() -> None:
    other = AGENT.replace("name: billing", "name: billing\n  namespace: mine")
    assert len(read(f"{AGENT}---\n{other}")) == 2


def test_an_alias_and_a_merge_key_give_what_they_stand_for() -> None:
    text = dedent("""\
        apiVersion: lmos.eclipse/v1
        kind: Agent
        metadata: {name: billing}
        spec:
          supportedTenants: &who [acme, globex]
          supportedChannels: *who
          providedCapabilities:
            - &first {name: view-bill, version: 1.0.0, description: bills}
            - {<<: *first, version: 2.0.0}
        """)
    (loaded,) = read(text)
    assert isinstance(loaded.resource, Agent)
    spec = loaded.resource.spec
    assert spec.supported_channels == ("acme", "globex")
    assert [(c.name, c.version, c.description) for c in spec.provided_capabilities] == [
        ("view-bill", "1.0.0", "bills"),
        ("view-bill", "2.0.0", "bills"),
    ]


def test_what_is_written_to_the_wire_loads_again() -> None:
    (loaded,) = read(CHANNEL)
    assert read(yaml.safe_dump(loaded.resource.to_wire()))[0].resource == loaded.resource


def test_what_is_surely_not_meant_is_a_warning() -> None:
    (loaded,) = read(CHANNEL.replace("  labels: {tenant: acme, channel: web}\n", ""))
    assert [(w.level, w.field, str(w.place)) for w in loaded.warnings] == 2 * [
        ("warning", "metadata.labels", "stdin:4:3")
    ]


# -- where from -----------------------------------------------------------------------------------------------------


def test_a_folder_loads_its_manifests_by_name_but_not_its_subfolders(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(AGENT)
    (tmp_path / "a.yml").write_text(CHANNEL)
    (tmp_path / "readme.md").write_text("not: [a manifest")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.yaml").write_text("not: [a manifest")
    assert [entry.source for entry in load([tmp_path])] == [f"{tmp_path}/a.yml:1", f"{tmp_path}/b.yaml:1"]


def test_a_file_named_twice_loads_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AGENT)
    assert len(load([tmp_path / "a.yaml", str(tmp_path)])) == 1


@pytest.mark.parametrize("name", ["missing.yaml", "null\0.yaml"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        load([tmp_path / name])


def test_a_folder_without_manifests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the folder has no manifest"):
        load([tmp_path])


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
def test_nothing_to_load_is_an_error(text: str) -> None:
    assert "there is no resource" in the_problem(text).message


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AGENT.replace("1.2.0", "latest"))
    (tmp_path / "b.yaml").write_text("{")
    (tmp_path / "c.yaml").write_text(CHANNEL.replace("^1.0.0", "newest"))
    with pytest.raises(ManifestError) as caught:
        load([tmp_path, tmp_path / "d.yaml"])
    files = [Path(str(problem.place).split(":")[0]).name for problem in caught.value.problems]
    assert files == ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]


def _agents(path: Path) -> list[Agent]:
    spec = AgentSpec(supported_channels=("web",), endpoint=Endpoint(protocol="local"))
    return [Agent(metadata=ObjectMeta(name=path.name.removesuffix(".agent.py")), spec=spec)]


def test_agents_in_python_join_through_the_callback(tmp_path: Path) -> None:
    (tmp_path / "support.agent.py").touch()
    (tmp_path / "a.yaml").write_text(AGENT)
    loaded = load([tmp_path], python_agents=_agents)
    assert [entry.resource.metadata.name for entry in loaded] == ["billing", "support"]
    assert loaded[1].source == str(tmp_path / "support.agent.py")


def test_agents_in_python_without_the_callback_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "support.agent.py").touch()
    with pytest.raises(ManifestError, match="agents in Python cannot be loaded here"):
        load([tmp_path / "support.agent.py"])


def test_an_agent_in_python_must_not_share_a_name_with_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "billing.agent.py").touch()
    (tmp_path / "a.yaml").write_text(AGENT)
    with pytest.raises(ManifestError, match=r"agent/billing .* is defined twice, first at .*a\.yaml:1"):
        load([tmp_path], python_agents=_agents)


def test_what_the_callback_finds_wrong_joins_the_other_problems(tmp_path: Path) -> None:
    def broken(path: Path) -> list[Agent]:
        raise ManifestError([Problem((), None, "no agent in it", "define one", place=Place(str(path)))])

    (tmp_path / "a.agent.py").touch()
    (tmp_path / "b.yaml").write_text("{")
    with pytest.raises(ManifestError) as caught:
        load([tmp_path], python_agents=broken)
    assert [problem.message.split(":")[0] for problem in caught.value.problems] == ["no agent in it", "this is no YAML"]


def test_an_error_of_the_callback_itself_is_no_fault_of_the_path(tmp_path: Path) -> None:
    def broken(path: Path) -> list[Agent]:
        raise ValueError("a bug")

    (tmp_path / "a.agent.py").touch()
    with pytest.raises(ValueError, match=r"^a bug$"):
        load([tmp_path], python_agents=broken)


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "place", "field", "message", "fix"),
    [
        pytest.param(
            AGENT.replace("version: 1.2.0", "version: 1.0"),
            "9:16",
            "spec.providedCapabilities[0].version",
            "must be text, but YAML reads 1.0 as a number",
            'quote it: version: "1.0.0"',
            id="a provided version that YAML read as a number",
        ),
        pytest.param(
            CHANNEL.replace("version: ^1.0.0", "version: 1"),
            "9:16",
            "spec.requiredCapabilities[0].version",
            "must be text, but YAML reads 1 as a number",
            'quote it: version: "1"',
            id="a range that YAML read as a number",
        ),
        pytest.param(
            AGENT.replace("[web]", "[web, on]"),
            "6:28",
            "spec.supportedChannels[1]",
            "must be text, but YAML reads on as true or false",
            'quote it: - "on"',
            id="a channel that YAML read as a boolean",
        ),
        pytest.param(
            AGENT.replace("supportedChannels", "suportedChanels"),
            "6:3",
            "spec.suportedChanels",
            "unknown field 'suportedChanels'",
            "did you mean 'supportedChannels'?",
            id="an unknown field near to a known one",
        ),
        pytest.param(
            AGENT.replace("supportedChannels", "supported_channels"),
            "6:3",
            "spec.supported_channels",
            "unknown field 'supported_channels'",
            "did you mean 'supportedChannels'?",
            id="a field in snake case",
        ),
        pytest.param(
            CHANNEL + "      colour: red\n",
            "10:7",
            "spec.requiredCapabilities[0].colour",
            "unknown field 'colour'",
            "remove it; known fields here: id, name, version, strategy",
            id="an unknown field",
        ),
        pytest.param(
            AGENT.replace("version: 1.2.0", "version: 1.2.0\n      version: 1.3.0"),
            "10:7",
            "spec.providedCapabilities[0].version",
            "the key 'version' stands twice, first in line 9",
            "remove one of the two",
            id="a duplicate key",
        ),
        pytest.param(
            CHANNEL.replace("^1.0.0", "'>=1.0.0,<2.0.0'"),
            "9:16",
            "spec.requiredCapabilities[0].version",
            "version range '>=1.0.0,<2.0.0' is not understood",
            "put a space for the comma: '>=1.0.0 <2.0.0'",
            id="a bad range",
        ),
        pytest.param(
            AGENT.replace("1.2.0", "'1.2'"),
            "9:16",
            "spec.providedCapabilities[0].version",
            "version '1.2' is incomplete",
            "write all three numbers: '1.2.0'",
            id="a bad version",
        ),
        pytest.param(
            CHANNEL + "      strategy: MOST_SIMILLAR\n",
            "10:17",
            "spec.requiredCapabilities[0].strategy",
            "'MOST_SIMILLAR' is not one of HIGHEST, MOST_SIMILAR",
            "did you mean 'MOST_SIMILAR'?",
            id="an unknown choice",
        ),
        pytest.param(
            AGENT.replace("[web]", "web"),
            "6:22",
            "spec.supportedChannels",
            "must be a list, not 'web'",
            "write supportedChannels: [web]",
            id="text for a list",
        ),
        pytest.param(
            AGENT.replace("[web]", ""),
            "6:21",
            "spec.supportedChannels",
            "must be a list, but has no value",
            "give it a value or remove the field",
            id="no value",
        ),
        pytest.param(
            AGENT.replace("- name: view-bill\n      version", "- version"),
            "8:7",
            "spec.providedCapabilities[0].name",
            "the field is missing",
            "add 'name: ...'",
            id="a missing field",
        ),
        pytest.param(
            AGENT.replace("kind: Agent", "kind: Agnet"),
            "2:7",
            "kind",
            "unknown kind 'Agnet'",
            "did you mean 'Agent'?",
            id="an unknown kind",
        ),
        pytest.param(
            AGENT.replace("kind: Agent\n", ""),
            "1:1",
            "kind",
            "kind is missing",
            "write kind: Agent or Channel or ChannelRouting or ChannelRollout",
            id="no kind",
        ),
        pytest.param(
            AGENT.replace("lmos.eclipse/v1", "lmos.ai/v1"),
            "1:13",
            "apiVersion",
            "unknown apiVersion 'lmos.ai/v1'",
            "did you mean 'lmos.eclipse/v1'?",
            id="an unknown apiVersion",
        ),
        pytest.param(
            AGENT.replace("name: billing", "name: Billing_Agent"),
            "4:9",
            "metadata.name",
            "'Billing_Agent' is no valid name",
            "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
            id="a name that Kubernetes refuses",
        ),
        pytest.param(
            AGENT.replace("name: billing", "name: billing\n  namespace: a.b"),
            "5:14",
            "metadata.namespace",
            "'a.b' is no valid namespace",
            "use lower-case letters, digits, '-', beginning and ending with a letter or digit",
            id="a namespace that Kubernetes refuses",
        ),
        pytest.param(
            CHANNEL.replace("tenant: acme", "tenant: acme corp"),
            "5:20",
            "metadata.labels.tenant",
            "'acme corp' is no valid label value",
            "use at most 63 letters, digits, '-', '_', '.', beginning and ending with a letter or digit, or",
            id="a label value that Kubernetes refuses",
        ),
        pytest.param(
            AGENT + "  endpoint: {url: agent.example}\n",
            "12:19",
            "spec.endpoint.url",
            "endpoint 'agent.example' has no known scheme",
            "begin it with http://, https://, ws:// or wss://",
            id="an endpoint without scheme",
        ),
        pytest.param(
            AGENT + "  endpoint: {protocol: a2a}\n",
            "12:13",
            "spec.endpoint.url",
            "endpoint of protocol 'a2a' has no url",
            "add url, as in 'http://agent.example:8080', or set protocol to 'local'",
            id="an endpoint without url",
        ),
        pytest.param(
            AGENT.replace("  name", "\tname"),
            "4:1",
            "",
            "this is no YAML",
            "indent with spaces: YAML allows no tabs there",
            id="a tab",
        ),
        pytest.param(
            AGENT.replace("show my bill", "show: my: bill"),
            "11:19",
            "",
            "this is no YAML",
            "quote a value that contains ': ', or correct the indentation",
            id="a colon in a value",
        ),
        pytest.param(
            AGENT.replace("show my bill", '"bell \\x07"'),
            "11:11",
            "spec.providedCapabilities[0].examples[0]",
            "contains the control character '\\x07'",
            "remove it",
            id="an escaped control character",
        ),
        pytest.param(
            AGENT.replace("bill\n", "bill \x07\n"),
            "8:23",
            "",
            "contains the control character '\\x07'",
            "remove it",
            id="a control character",
        ),
        pytest.param("just text", "1:1", "", "a manifest must be a mapping", "write apiVersion", id="a text"),
        pytest.param("- a", "1:1", "", "a manifest must be a mapping", "write apiVersion", id="a sequence"),
        pytest.param(
            "apiVersion: v1\nkind: List", "1:1", "", "the List has no list of items", "add 'items:'", id="a bare List"
        ),
        pytest.param("{[a]: b}", "1:2", "", "a key must be text", "write 'key: value'", id="a sequence as key"),
        pytest.param(
            "a: *b",
            "1:4",
            "",
            "the alias *b has no anchor before it",
            "put &b before the value meant",
            id="an alias of nothing",
        ),
        pytest.param(
            "a: &b {c: *b}", "1:11", "", "the alias *b contains itself", "write the value out", id="an endless alias"
        ),
        pytest.param("a: !!set {b}", "1:4", "", "the YAML tag", "remove the tag", id="a tag"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_fix(text: str, place: str, field: str, message: str, fix: str) -> None:
    problem = next(p for p in problems(text) if message in p.message)
    assert str(problem.place) == f"stdin:{place}"
    assert problem.field == field
    assert problem.fix.startswith(fix)


def test_one_mistake_is_told_once() -> None:
    assert the_problem(AGENT.replace("1.2.0", "1.0")).value == "1.0"


def test_text_that_is_no_utf8_is_told_with_its_place() -> None:
    problem = the_problem(AGENT.encode().replace(b"my bill", b"m\xfc bill"))
    assert str(problem.place) == "stdin:11:17"
    assert "0xfc" in problem.message


def test_two_objects_of_one_name_are_told_with_both_places() -> None:
    problem = the_problem(f"{AGENT}---\n{AGENT}")
    assert str(problem.place) == "stdin:13:1"
    assert problem.message == "agent/billing (namespace default) is defined twice, first at stdin:1:1"


def test_all_mistakes_of_one_resource_are_told_at_once() -> None:
    text = (
        AGENT.replace("name: billing", "name: Billing")
        .replace("[web]", "web")
        .replace("1.2.0", "1.0")
        .replace("show my bill", "yes")
    )
    told = problems(f"{text}    - {{name: x, version: latest, extra: 1}}\n  endpoint: {{protocol: arcs, url: x}}\n")
    assert [problem.field for problem in told] == [
        "metadata.name",
        "spec.supportedChannels",
        "spec.providedCapabilities[0].version",
        "spec.providedCapabilities[0].examples[0]",
        "spec.providedCapabilities[1].version",
        "spec.providedCapabilities[1].extra",
        "spec.endpoint.protocol",
        "spec.endpoint.url",
    ]


def test_the_error_reads_as_a_list_of_places_problems_and_fixes() -> None:
    with pytest.raises(ManifestError) as caught:
        read(AGENT.replace("1.2.0", "1.0").replace("billing", "Billing"))
    assert str(caught.value) == dedent("""\
        2 problems in the manifests:
          stdin:4:9: metadata.name: 'Billing' is no valid name
              fix: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit
          stdin:9:16: spec.providedCapabilities[0].version: must be text, but YAML reads 1.0 as a number
              fix: quote it: version: "1.0.0\"""")


# -- bounds ---------------------------------------------------------------------------------------------------------


def _laughs(levels: int) -> str:
    lines = ['a0: &a0 ["lol"]']
    lines += [f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_laughs(10), "more than 100000 nodes"),
        ("a: &a '" + "x" * 60_000 + "'\nb: [" + "*a, " * 40 + "]", "more than 100000 nodes or 1048576 characters"),
        ("[" * 200 + "]" * 200, "nested deeper than 64"),
        ("\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 99))]), "nested deeper than 64"),
        ("# " + "x" * 10 + "\na: '" + "x" * yaml_tree.MAX_DOCUMENT + "'", "larger than 1048576 characters"),
    ],
    ids=["nodes by aliases", "size by aliases", "depth", "depth by aliases", "size"],
)
def test_a_document_made_to_exhaust_memory_is_refused(text: str, message: str) -> None:
    assert message in the_problem(text).message


def test_a_document_after_a_refused_one_is_still_checked() -> None:
    told = problems(f"{'[' * 99 + ']' * 99}\n---\n{AGENT.replace('1.2.0', 'latest')}")
    assert [problem.field for problem in told] == ["", "spec.providedCapabilities[0].version"]


def test_a_thousand_agents_load(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("---\n".join(AGENT.replace("billing", f"a{i}") for i in range(1000)))
    assert len(load([tmp_path / "a.yaml"])) == 1000


# -- anything -------------------------------------------------------------------------------------------------------

_FIELDS = sorted(set(re.findall(r"\w+(?=:)", AGENT + CHANNEL)) | {"endpoint", "url", "protocol", "strategy", "<<"})
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(
        [kind.kind for kind in KINDS] + ["lmos.eclipse/v1", "v1", "List", "1.0.0", "^1", "http://x", "arc"]
    ),
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)
_manifests = st.fixed_dictionaries(
    {"apiVersion": st.just("lmos.eclipse/v1"), "kind": st.sampled_from([kind.kind for kind in KINDS])},
    optional={"metadata": _values | st.fixed_dictionaries({"name": _scalars}), "spec": _values, "status": _values},
)


def _loads_or_explains(text: str | bytes) -> None:
    with suppress(ManifestError):
        assert read(text)


@given(st.one_of(_manifests, _values).map(yaml.safe_dump))
def test_any_yaml_is_loaded_or_explained(text: str) -> None:
    _loads_or_explains(text)


@given(st.text() | st.text("abc:-*&!|>'\"{}[],#%@?\t\n ~01.<", max_size=60))
@example("!!int ''")
@example("!!bool maybe")
@example("a: !!float .nan")
@example("? \n: x")
@example("%YAML 3.0\n---\na")
@example("- &a 1\n- &a 2\n- *a")
@example('"\\ud800": "\\ud800"')
@example("apiVersion: v1\nkind: List\nitems: [&a {kind: Agent}, *a, 1]")
def test_any_text_is_loaded_or_explained(text: str) -> None:
    _loads_or_explains(text.encode(errors="surrogatepass"))


@given(st.binary())
def test_any_bytes_are_loaded_or_explained(content: bytes) -> None:
    _loads_or_explains(content)


@given(st.integers(0, len(AGENT)), st.integers(0, 40), st.text(max_size=5))
def test_any_edit_of_a_manifest_is_loaded_or_explained(start: int, length: int, inserted: str) -> None:
    text = AGENT[:start] + inserted + AGENT[start + length :]
    _loads_or_explains(text.encode(errors="surrogatepass"))
