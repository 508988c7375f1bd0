"""Where the programs of a cluster are looked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.testcluster import BadAssets, Binaries, NoBinaries
from tools.testcluster.recipe import CONTROL_PLANE, ROLLOUTS, STAGES, cache_folder

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
Assets = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make testcluster` would build; it has not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return cache_folder()


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assets:
    """Makes KUBEBUILDER_ASSETS, with programs of these names."""

    def make(*names: str) -> Path:
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
        return fill(tmp_path / "assets", *names)

    return make


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def built(cache: Path) -> Path:
    """The cache as `make testcluster` leaves it."""
    fill(cache, STAGES, ROLLOUTS)
    fill(cache / "bin", *CONTROL_PLANE, "kwok", "helm")
    return cache


def test_what_was_built_is_found(cache: Path) -> None:
    built(cache)

    binaries = Binaries.found()

    assert binaries.program("etcd") == cache / "bin" / "etcd"
    assert binaries.file(ROLLOUTS) == cache / ROLLOUTS
    assert binaries.lacking([*CONTROL_PLANE, "kwok", "helm", STAGES]) == []


def test_envtests_folder_comes_first(cache: Path, assets: Assets) -> None:
    built(cache)
    folder = assets(*ENVTEST)

    assert Binaries.found().program("kube-apiserver") == folder / "kube-apiserver"


def test_programs_of_two_kubernetes_versions_are_not_mixed(cache: Path, assets: Assets) -> None:
    built(cache)
    assets(*ENVTEST)

    assert Binaries.found().lacking(["etcd", "kube-scheduler"]) == ["kube-scheduler"]


def test_kwok_and_helm_go_with_any_kubernetes(cache: Path, assets: Assets) -> None:
    built(cache)
    assets(*ENVTEST)

    assert Binaries.found().program("kwok") == cache / "bin" / "kwok"


def test_envtests_folder_is_enough_for_an_api_server(assets: Assets) -> None:
    assets(*ENVTEST)

    assert Binaries.found().lacking(["kube-apiserver", "helm", STAGES]) == ["helm", STAGES]


def test_nothing_at_all_says_how_to_get_it() -> None:
    with pytest.raises(NoBinaries, match=r"run `make testcluster`.*KUBEBUILDER_ASSETS.*LMOS_TEST_CLUSTER=1"):
        Binaries.found()


def test_a_folder_without_the_programs_is_a_mistake(assets: Assets) -> None:
    assets("etcd")

    with pytest.raises(BadAssets, match="no kube-apiserver, kubectl there; correct or unset it"):
        Binaries.found()


def test_a_program_that_envtest_lacks_is_told(assets: Assets) -> None:
    folder = assets(*ENVTEST)

    with pytest.raises(NoBinaries, match=f"no kube-scheduler in {folder}: run `make testcluster`"):
        Binaries.found().program("kube-scheduler")
