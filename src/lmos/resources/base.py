"""What all resources share: immutable models with Kubernetes field names on the wire.

Every floor above uses these types. They are pure data: no I/O, no clock. Python names are snake_case, the wire is
camelCase as in the CRDs; unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "API_VERSION",
    "GROUP",
    "Condition",
    "Example",
    "Model",
    "Name",
    "ObjectMeta",
    "OwnerReference",
    "Resource",
    "ResourceKey",
]

GROUP = "lmos.eclipse"
API_VERSION = "lmos.eclipse/v1"

Name = Annotated[str, Field(max_length=253)]
"""Name of a tenant or channel."""

Example = Annotated[str, Field(max_length=4096)]
"""A query as a customer might put it."""


class Model(BaseModel):
    """Base of every wire type: frozen, camelCase aliases, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


class OwnerReference(Model):
    """Kubernetes `ownerReferences[]`: the object that this one is removed with."""

    api_version: str = API_VERSION
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    """Kubernetes `metadata`, as far as LMOS reads it; what a server adds beyond passes through `managed_fields`."""

    name: str = Field(min_length=1, max_length=253)
    namespace: str = Field(default="default", min_length=1, max_length=63)
    labels: dict[str, str] = Field(default_factory=dict[str, str])
    annotations: dict[str, str] = Field(default_factory=dict[str, str])
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    managed_fields: tuple[dict[str, Any], ...] = ()
    generate_name: str | None = None
    self_link: str | None = None


class Condition(Model):
    """One aspect of the object's state, as in every Kubernetes kind."""

    type: str = Field(max_length=316, description="The aspect, in CamelCase.")
    status: str = Field(pattern="^(True|False|Unknown)$", description="True, False or Unknown.")
    reason: str = Field(min_length=1, max_length=1024, description="Why the status is what it is, in CamelCase.")
    message: str = Field(default="", max_length=32768, description="The reason in words.")
    last_transition_time: str = Field(max_length=64, description="When the status changed last, in RFC 3339.")
    observed_generation: int | None = Field(default=None, description="The metadata.generation that this is about.")


class ResourceKey(Model):
    """What names one object: kind, namespace, name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name} (namespace {self.namespace})"


class Resource(Model):
    """Common shape of Agent, Channel, ChannelRouting and ChannelRollout.

    Subclasses set `KIND` and add `kind`, `spec` and, where they have one, `status`.
    """

    KIND: ClassVar[str]

    api_version: str = Field(default=API_VERSION, pattern="^lmos\\.eclipse/v1$")
    metadata: ObjectMeta

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(kind=self.KIND, namespace=self.metadata.namespace, name=self.metadata.name)

    def to_wire(self) -> dict[str, Any]:
        """The object as JSON data with wire names; what is `None` or an empty metadata container is left out."""
        return _without_empty_metadata(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    def as_written(self) -> dict[str, Any]:
        """`to_wire` without the defaults of fields that nobody set: what a manifest says, or a server holds."""
        data = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
        return _without_empty_metadata({"apiVersion": self.api_version, "kind": self.KIND} | data)

    def with_meta(self, **changes: Any) -> Self:
        """A copy whose metadata has `changes` (Python field names)."""
        return self.model_copy(update={"metadata": self.metadata.model_copy(update=changes)})


def _without_empty_metadata(data: dict[str, Any]) -> dict[str, Any]:
    data["metadata"] = {k: v for k, v in data["metadata"].items() if v not in ({}, [])}
    return data
