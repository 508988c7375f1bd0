"""Which cluster, as whom: kubeconfig files, several of them, a Pod's ServiceAccount; and what is wrong with them."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmos.operator.kubernetes.config import BadConfiguration, ExecSpec, User, configuration

NOTHING: dict[str, str] = {}


def kubeconfig(
    path: Path, *, cluster: Any = None, user: Any = None, name: str = "c", current: str | None = "c", **more: Any
) -> Path:
    """A kubeconfig with one cluster, user and context, all called `name`."""
    data: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster or {"server": f"https://{name}.example"}}],
        "users": [{"name": name, "user": user or {"token": f"token-{name}"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "team"}}],
    }
    if current is not None:
        data["current-context"] = current
    path.write_text(yaml.safe_dump(data | more))
    return path


def test_the_current_context_says_which_cluster_and_user(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    found = configuration(kubeconfig=str(path))
    assert (found.server, found.namespace, found.user) == ("https://c.example", "team", User(token="token-c"))
    assert found.source == f"context 'c' of {path}"


def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    contexts = [{"name": n, "context": {"cluster": "c", "user": "c", "namespace": n}} for n in ("c", "d")]
    path = kubeconfig(tmp_path / "config", contexts=contexts)
    assert configuration(kubeconfig=str(path), context="d").namespace == "d"


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", contexts=[{"name": "c", "context": {"cluster": "c", "user": "c"}}])
    assert configuration(kubeconfig=str(path)).namespace == "default"


def test_a_context_without_a_user_sends_no_credentials(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", contexts=[{"name": "c", "context": {"cluster": "c"}}])
    assert configuration(kubeconfig=str(path)).user == User()


# Several files


def test_the_environment_may_name_several_files_of_which_the_first_wins(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "first", name="a", current="b")
    second = kubeconfig(tmp_path / "second", name="b", current="a")
    environ = {"KUBECONFIG": f"{first}:{second}"}
    assert configuration(environ=environ).server == "https://b.example"
    assert configuration(environ=environ, context="a").server == "https://a.example"


def test_an_entry_of_the_same_name_is_taken_from_the_first_file(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "first", user={"token": "first"})
    second = kubeconfig(tmp_path / "second", user={"token": "second"})
    assert configuration(environ={"KUBECONFIG": f"{first}:{second}"}).user.token == "first"


def test_a_context_may_join_a_cluster_and_a_user_of_different_files(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text(yaml.safe_dump({"contexts": [{"name": "x", "context": {"cluster": "b", "user": "b"}}]}))
    second = kubeconfig(tmp_path / "second", name="b", current=None)
    found = configuration(kubeconfig=f"{first}:{second}", context="x")
    assert (found.server, found.user.token) == ("https://b.example", "token-b")


def test_a_missing_file_among_several_is_passed_over(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    assert configuration(environ={"KUBECONFIG": f"{tmp_path / 'missing'}:{path}:"}).server == "https://c.example"


def test_a_file_that_was_named_wins_over_the_environment(tmp_path: Path) -> None:
    named, other = kubeconfig(tmp_path / "a", name="a", current="a"), kubeconfig(tmp_path / "b", name="b", current="b")
    assert configuration(kubeconfig=str(named), environ={"KUBECONFIG": str(other)}).server == "https://a.example"


# In a Pod


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """What a kubelet mounts."""
    folder = tmp_path / "account"
    folder.mkdir()
    for name, text in {"token": "t", "namespace": "lmos\n", "ca.crt": "PEM"}.items():
        (folder / name).write_text(text)
    return folder


POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_in_a_pod_its_service_account_is_taken(account: Path) -> None:
    found = configuration(environ=POD, account=account)
    assert (found.server, found.namespace, found.authority) == ("https://10.0.0.1:443", "lmos", b"PEM")
    assert found.user == User(token_file=account / "token")


def test_a_pod_may_have_an_ipv6_address(account: Path) -> None:
    found = configuration(environ={**POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}, account=account)
    assert found.server == "https://[fd00::1]:443"


def test_a_kubeconfig_wins_over_the_pod(tmp_path: Path, account: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    found = configuration(environ={**POD, "KUBECONFIG": str(path)}, account=account)
    assert found.server == "https://c.example"


def test_a_pod_without_a_token_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="automountServiceAccountToken: true"):
        configuration(environ=POD, account=tmp_path)


# Home


def test_without_anything_the_file_in_the_home_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config")
    assert configuration(environ=NOTHING).server == "https://c.example"


def test_a_named_context_is_one_of_the_home_folder_even_in_a_pod(
    tmp_path: Path, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config")
    assert configuration(context="c", environ=POD, account=account).server == "https://c.example"


def test_without_any_configuration_it_is_said_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BadConfiguration, match=r"name a kubeconfig \(--kubeconfig"):
        configuration(environ=NOTHING)


# Fields


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name)
    cluster = {"server": "https://c.example", "certificate-authority": "ca"}
    user = {"client-certificate": "cert", "client-key": "key", "tokenFile": "secret/token"}
    found = configuration(kubeconfig=str(kubeconfig(tmp_path / "config", cluster=cluster, user=user)))
    assert (found.authority, found.user.certificate, found.user.key) == (b"ca", b"cert", b"key")
    assert found.user.token_file == tmp_path / "secret/token"


def test_data_in_the_file_wins_over_a_path(tmp_path: Path) -> None:
    data = b64encode(b"PEM").decode()
    cluster = {"server": "https://c.example", "certificate-authority": "ca", "certificate-authority-data": data}
    assert configuration(kubeconfig=str(kubeconfig(tmp_path / "config", cluster=cluster))).authority == b"PEM"


def test_what_a_cluster_may_say_of_its_connection(tmp_path: Path) -> None:
    cluster = {
        "server": "https://c.example/k8s",
        "insecure-skip-tls-verify": True,
        "tls-server-name": "kubernetes",
        "proxy-url": "http://proxy:3128",
    }
    found = configuration(kubeconfig=str(kubeconfig(tmp_path / "config", cluster=cluster)))
    assert (found.server, found.insecure) == ("https://c.example/k8s", True)
    assert (found.tls_name, found.proxy) == ("kubernetes", "http://proxy:3128")


def test_an_exec_plugin_is_read(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./login",
        "args": ["token", 1],
        "env": [{"name": "A", "value": "b"}],
        "installHint": "install it",
        "provideClusterInfo": True,
        "interactiveMode": "IfAvailable",
    }
    path = kubeconfig(tmp_path / "config", user={"exec": plugin})
    assert configuration(kubeconfig=str(path)).user.exec_spec == ExecSpec(
        source=f"{path}: users[c].exec",
        api_version="client.authentication.k8s.io/v1",
        command=str(tmp_path / "login"),
        args=("token", "1"),
        env={"A": "b"},
        install_hint="install it",
        provide_cluster_info=True,
    )


def test_a_plugin_without_a_folder_is_looked_for_in_the_path(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws"}
    spec = configuration(kubeconfig=str(kubeconfig(tmp_path / "config", user={"exec": plugin}))).user.exec_spec
    assert spec is not None
    assert spec.command == "aws"


# Mistakes

EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "x"}
CLUSTER = {"server": "https://c.example"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"current": None}, "names no current-context; add one"),
        ({"current": "x"}, "there is no context 'x'; known: c"),
        ({"contexts": [{"name": "c", "context": {"user": "c"}}]}, r"contexts\[c\].cluster is missing"),
        ({"contexts": [{"name": "c", "context": {"cluster": "x"}}]}, "there is no cluster 'x'; known: c"),
        ({"contexts": [{"name": "c", "context": {"cluster": "c", "user": "x"}}]}, "there is no user 'x'; known: c"),
        ({"contexts": ["c"]}, "contexts is no list of mappings with 'name' and 'context'"),
        ({"clusters": None}, "there is no cluster 'c'; known: none"),
        ({"cluster": {"proxy-url": "x"}}, r"clusters\[c\].server is missing"),
        ({"cluster": {"server": "c.example:6443"}}, r"server is 'c.example:6443'; begin it with https://"),
        ({"cluster": {"server": 5}}, r"clusters\[c\].server is 5; write a text"),
        ({"cluster": {**CLUSTER, "insecure-skip-tls-verify": "yes"}}, "is 'yes'; write true or false"),
        ({"cluster": {**CLUSTER, "certificate-authority": "none.crt"}}, r"none\.crt cannot be read: No such file"),
        ({"cluster": {**CLUSTER, "certificate-authority-data": "%%"}}, "certificate-authority-data is no base64"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "auth-provider is not supported; .* use an exec plugin"),
        ({"user": {"as": "root", "token": "t"}}, r"users\[c\].as is not supported"),
        ({"user": {"exec": "aws"}}, r"users\[c\].exec is 'aws'; write a mapping"),
        ({"user": {"exec": {**EXEC, "apiVersion": "client.authentication.k8s.io/v1alpha1"}}}, "configure the plugin"),
        ({"user": {"exec": {"apiVersion": EXEC["apiVersion"]}}}, r"exec.command is missing"),
        ({"user": {"exec": {**EXEC, "interactiveMode": "Always"}}}, "there is no terminal"),
        ({"user": {"exec": {**EXEC, "env": ["A=b"]}}}, "exec.env is .*; write a list of mappings"),
        ({"user": {"exec": {**EXEC, "args": "token"}}}, "exec.args is 'token'; write a list"),
    ],
)
def test_a_mistake_is_named_with_its_file_field_and_fix(tmp_path: Path, parts: dict[str, Any], told: str) -> None:
    path = kubeconfig(tmp_path / "config", **parts)
    with pytest.raises(BadConfiguration, match=told) as caught:
        configuration(kubeconfig=str(path))
    assert str(path) in str(caught.value) or str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"), [("a: [", "is no YAML"), ("- a", "is no kubeconfig"), ("", "names no current-context")]
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BadConfiguration, match=told):
        configuration(kubeconfig=str(path))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    for given in ({"kubeconfig": str(tmp_path / "no")}, {"environ": {"KUBECONFIG": str(tmp_path / "no")}}):
        with pytest.raises(BadConfiguration, match=r"/no cannot be read: No such file"):
            configuration(**given)  # pyright: ignore[reportArgumentType]


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    user = {"token": "s3cret", "password": "s3cret", "client-key-data": b64encode(b"s3cret").decode()}
    assert "s3cret" not in repr(configuration(kubeconfig=str(kubeconfig(tmp_path / "config", user=user))))
