"""One frozen `Settings` per process, from environment variables `LMOS_*`. Only `server` and `cli` read it.

Rooms below get what they need as arguments. Each field is documented in `docs/reference/settings.md`; a test compares.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["Settings", "UnknownSetting"]

_PREFIX: Final = "LMOS_"
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Kubernetes puts these into every container for each Service whose name begins with "lmos".
_OF_KUBERNETES: Final = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


class UnknownSetting(ValueError):
    """An `LMOS_*` variable that no setting reads: a slip that would otherwise go unnoticed."""


def _namespaces(value: Any) -> Any:
    """`a,b` as a tuple, each once; empty means all."""
    if not isinstance(value, str):
        return value
    names = tuple(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))
    for name in names:
        if not _DNS_LABEL.fullmatch(name):
            raise ValueError(f"{name!r} is no namespace; leave the list empty to watch all of them")
    return names


def _service_hosts(value: Any) -> Any:
    """`a=127.0.0.1:1,b=127.0.0.1:2` as a mapping."""
    if not isinstance(value, str):
        return value
    hosts: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        name, equals, target = pair.partition("=")
        if not equals or ":" not in target:
            raise ValueError(f"{pair!r} is not `host=address:port`")
        hosts[name] = target
    return hosts


class Settings(BaseSettings):
    """What a process can be told. An unknown `LMOS_*` variable is an error, see `Settings.load`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    data: Path = Field(default=Path(".lmos"), description="Folder of the embedded store and turn log.")
    host: str = Field(default="127.0.0.1", description="Address that servers listen on.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Port of `lmos up`, `lmos operator` and (8081 if not set) `lmos runtime`; 0 takes a free one.",
    )
    metrics_port: int = Field(
        default=9090,
        ge=0,
        le=65535,
        description="Port of probes and metrics of `lmos operator` and `lmos runtime`; 0 takes a free one.",
    )
    namespace: str = Field(default="default", description="Namespace of resources that name none.")
    model: str = Field(
        default="offline",
        description="Language model of local agents: `offline`, a pydantic-ai model name (`openai:gpt-5-mini`), "
        "or the base URL of an OpenAI-compatible server, with `#model` at its end.",
    )
    model_api_key: SecretStr | None = Field(default=None, description="Key for a model given as URL.")
    encoder: str = Field(
        default="auto",
        description="Encoder of the router: `auto`, the best that is installed; `static`; `onnx`; `onnx:FOLDER`; or "
        "the base URL of an OpenAI-compatible server with `#model` at its end.",
    )
    encoder_api_key: SecretStr | None = Field(default=None, description="Key for an encoder given as URL.")
    router: Literal["vector", "llm", "hybrid", "hybrid-abstract"] = Field(
        default="vector",
        description="Who decides which agent answers: `vector`; `llm`, a model; `hybrid`, the model only where "
        "vectors are unsure; `hybrid-abstract`, vectors on the wish that the model states.",
    )
    router_model: str = Field(
        default="",
        description="Language model of the router, written as `LMOS_MODEL`, which is used when this is empty.",
    )
    router_clarify: Literal["template", "model"] = Field(
        default="template", description="Who words the question between topics: a fixed text, or the router's model."
    )
    router_prompts: Path | None = Field(
        default=None, description="Folder of prompts that replace the router's own, as `route.en.jinja`."
    )
    router_roster: Literal["json", "xml"] = Field(
        default="json", description="How the agents are written in the router's prompts."
    )
    router_timeout: float = Field(default=10.0, gt=0, description="Seconds that the router waits for its model.")
    router_tokens: int = Field(
        default=16_000, ge=500, description="Most tokens of a router's prompt: agents, then the newest messages."
    )
    router_index: str = Field(
        default="",
        description="Shared index that is kept equal to the agents' examples: `postgresql://...`, or the URL of a "
        "Qdrant server. Empty: none.",
    )
    turn_deadline: float = Field(default=60.0, gt=0, description="Seconds that a turn may take.")
    resume_grace: float = Field(
        default=10.0, ge=0, description="Seconds that a streamed turn goes on without its client, who may resume it."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes.")
    synchronous: Literal["full", "normal"] = Field(
        default="full", description="SQLite durability: `full` survives a power cut, `normal` a crash of the process."
    )
    service_hosts: Annotated[dict[str, str], NoDecode, BeforeValidator(_service_hosts)] = Field(
        default_factory=dict[str, str],
        description="`host=address:port` pairs, comma-separated: where service names answer.",
    )
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_namespaces)] = Field(
        default=(), description="Namespaces that the operator watches, comma-separated. Empty: all."
    )
    leader_elect: bool = Field(default=True, description="Whether only the operator that holds the Lease reconciles.")
    lease_name: str = Field(default="lmos-operator", min_length=1, description="Name of the operators' Lease.")
    lease_namespace: str = Field(
        default="", description="Namespace of the Lease. Empty: that of the Pod, or of the kubeconfig's context."
    )
    discovery: bool = Field(
        default=True,
        description="Whether the operator makes Agents of Deployments labelled `lmos-agent=true`, and asks agents what "
        "they can do.",
    )
    argo_rollouts: bool = Field(default=False, description="Whether discovery looks at Argo's Rollouts too.")
    operator_url: str = Field(
        default="http://lmos-operator:8080", description="Operator from which `lmos runtime` reads the routings."
    )
    kubeconfig: str = Field(
        default="", description="Kubeconfig file. Empty: that of `KUBECONFIG`, the Pod's own, or `~/.kube/config`."
    )
    context: str = Field(default="", description="Context of the kubeconfig. Empty: the current one.")
    admission: Literal["off", "warn", "deny"] = Field(
        default="off", description="Whether the operator serves the admission webhook, and whether it may deny."
    )
    admission_port: int = Field(default=9443, ge=0, le=65535, description="Port of the admission webhook.")
    admission_cert: Path | None = Field(default=None, description="Certificate of the webhook, a PEM file.")
    admission_key: Path | None = Field(default=None, description="Key of the webhook's certificate, a PEM file.")
    log_format: Literal["text", "json"] = Field(default="text", description="Format of log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    debug: bool = Field(default=False, description="Show the traceback of an unexpected error of a command.")

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Settings from the environment, with `given` before it.

        Raises `UnknownSetting` for an `LMOS_*` variable that is no setting, `ValidationError` for a bad value.
        """
        known = {f"{_PREFIX}{name.upper()}" for name in cls.model_fields}
        for variable in os.environ:
            if variable.startswith(_PREFIX) and variable not in known and not _OF_KUBERNETES.fullmatch(variable):
                near = difflib.get_close_matches(variable, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                raise UnknownSetting(f"the environment sets {variable}, which is no setting; {hint}")
        return cls(**given)
