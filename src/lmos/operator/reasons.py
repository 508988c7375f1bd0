"""Names that the operator shows to people and machines: condition types, reasons, field managers, log events.

They are API: `kubectl wait`, dashboards and alerts match on them. Kubernetes asks for CamelCase reasons.
"""

from __future__ import annotations

from typing import Final

# Field managers of server-side apply, one for derived objects and one for status.
FIELD_MANAGER: Final = "lmos-operator"
STATUS_FIELD_MANAGER: Final = "lmos-operator-status"

# Condition types
RESOLVED: Final = "Resolved"

# Reasons of the condition `Resolved`
ALL_CAPABILITIES_PROVIDED: Final = "AllCapabilitiesProvided"
CAPABILITIES_UNRESOLVED: Final = "CapabilitiesUnresolved"
NO_AGENT_SERVES_CHANNEL: Final = "NoAgentServesChannel"

# Why one required capability is unresolved
BAD_RANGE: Final = "BadRange"
NOT_PROVIDED: Final = "NotProvided"
NO_MATCHING_AGENT: Final = "NoMatchingAgent"

# Why an agent that provides the capability's name is not taken (near misses), nearest first
VERSION_OUT_OF_RANGE: Final = "VersionOutOfRange"
BAD_VERSION: Final = "BadVersion"
CHANNEL_NOT_SUPPORTED: Final = "ChannelNotSupported"
TENANT_NOT_SUPPORTED: Final = "TenantNotSupported"
OTHER_SUBSET: Final = "OtherSubset"
BAD_ENDPOINT: Final = "BadEndpoint"

MISS_ORDER: Final = (
    VERSION_OUT_OF_RANGE,
    BAD_VERSION,
    CHANNEL_NOT_SUPPORTED,
    TENANT_NOT_SUPPORTED,
    OTHER_SUBSET,
    BAD_ENDPOINT,
)

# Annotation of a ChannelRouting: its agents' names, for a printer column
AGENTS: Final = "lmos.eclipse/agents"

# Condition types of Agents: all is well with it; what it can do is known from the agent itself
READY: Final = "Ready"
DISCOVERED: Final = "Discovered"

# Reasons of the condition `Ready`, beside `BadVersion`, `BadEndpoint` and those of `Discovered`
DECLARED: Final = "Declared"
INVALID_SPEC: Final = "InvalidSpec"
WORKLOAD_UNAVAILABLE: Final = "WorkloadUnavailable"

# Reasons of the condition `Discovered`
DOCUMENT_READ: Final = "DocumentRead"
WORKLOAD_NOT_READY: Final = "WorkloadNotReady"
WORKLOAD_UNSUPPORTED: Final = "WorkloadUnsupported"
SERVICE_MISSING: Final = "ServiceMissing"
SERVICE_AMBIGUOUS: Final = "ServiceAmbiguous"
SERVICE_WITHOUT_PORT: Final = "ServiceWithoutPort"
UNREACHABLE: Final = "Unreachable"
DOCUMENT_MISSING: Final = "DocumentMissing"
INVALID_DOCUMENT: Final = "InvalidDocument"
NAME_TAKEN: Final = "NameTaken"
DISCOVERY_OFF: Final = "DiscoveryOff"

# Annotation of an Agent or Channel: with the value "true", channels may become unresolved by its change
ALLOW_UNRESOLVED: Final = "lmos.eclipse/allow-unresolved"

# What the operator was doing when it told of an event
ACTION_RESOLVE: Final = "Resolve"
ACTION_DISCOVER: Final = "Discover"

# Log events
EVENT_RECONCILE_RETRY: Final = "reconcile failed, will retry"
EVENT_RECONCILE_TERMINAL: Final = "reconcile failed, waits for a change"
EVENT_RECONCILE_TIMEOUT: Final = "reconcile timed out, will retry"
EVENT_RECONCILE_PANIC: Final = "reconcile crashed, will retry"
EVENT_WATCH_FAILED: Final = "watch failed, will resume"
EVENT_WATCH_EXPIRED: Final = "watch expired, lists again"
EVENT_TERM_BEGAN: Final = "leading, reconciles"
EVENT_TERM_ENDED: Final = "leads no more, stands by"
EVENT_LEASE_ACQUIRED: Final = "lease acquired"
EVENT_LEASE_NOT_RENEWED: Final = "lease not renewed in time, leads no more"
EVENT_LEASE_TAKEN: Final = "lease taken by another, leads no more"
EVENT_LEASE_FAILED: Final = "lease not read or written, will retry"
EVENT_LEASE_RELEASED: Final = "lease released"
EVENT_LEASE_NOT_RELEASED: Final = "lease not released, the next holder has to wait"
EVENT_AGENT_REMOVED: Final = "agent removed, its workload is none any more"
EVENT_NOT_TOLD: Final = "event not written"
EVENT_NAMESPACE_MISSING: Final = "namespace does not exist"
EVENT_OPERATOR_WATCHED: Final = "operator is watched"
EVENT_OPERATOR_ASKED: Final = "operator cannot be watched, is asked when needed"
EVENT_OPERATOR_CRASHED: Final = "operator crashed, restart the process"
EVENT_REQUEST_FAILED: Final = "operator api could not read the store"
EVENT_ADMISSION_DENIED: Final = "change denied"
EVENT_ADMISSION_FAILED: Final = "change not judged"
EVENT_SERVER_WARNS: Final = "the API server warns"
EVENT_UNREADABLE: Final = "object cannot be read, counts as absent"
EVENT_UNKNOWN_FIELD: Final = "field is unknown to this version, ignored"
