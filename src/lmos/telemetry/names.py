"""Every span, attribute, metric and log event name that LMOS emits. They are API: dashboards and alerts depend on them.

`gen_ai.*` follows OpenTelemetry's semantic conventions for generative AI; `lmos.*` is ours.
"""

from __future__ import annotations

from typing import Final

# Spans
SPAN_TURN: Final = "lmos.turn"
SPAN_ROUTE: Final = "lmos.route"
SPAN_ASK: Final = "invoke_agent"
SPAN_RECONCILE: Final = "lmos.reconcile"
SPAN_API_CALL: Final = "kubernetes.request"

# Attributes
TENANT: Final = "lmos.tenant"
CHANNEL: Final = "lmos.channel"
SUBSET: Final = "lmos.subset"
TURN_ID: Final = "lmos.turn.id"
TURN_OUTCOME: Final = "lmos.turn.outcome"
TURN_ATTEMPT: Final = "lmos.turn.attempt"
ROUTE_OUTCOME: Final = "lmos.route.outcome"
ROUTE_STRATEGY: Final = "lmos.route.strategy"
ROUTE_CONFIDENCE: Final = "lmos.route.confidence"
AGENT_PROTOCOL: Final = "lmos.agent.protocol"
ERROR_CODE: Final = "error.type"
CONTROLLER: Final = "lmos.controller"
OBJECT_NAMESPACE: Final = "k8s.namespace.name"
OBJECT_NAME: Final = "lmos.object.name"
RECONCILE_RESULT: Final = "lmos.reconcile.result"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
URL_PATH: Final = "url.path"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
OPERATION: Final = "gen_ai.operation.name"
AGENT_NAME: Final = "gen_ai.agent.name"

# Metrics
METRIC_TURNS: Final = "lmos_turns"
METRIC_TURN_SECONDS: Final = "lmos_turn_duration_seconds"
METRIC_ROUTE_SECONDS: Final = "lmos_route_duration_seconds"
METRIC_ASK_SECONDS: Final = "lmos_agent_request_duration_seconds"
METRIC_RUNNING_TURNS: Final = "lmos_turns_running"

# Log events
EVENT_STOPPING: Final = "stopping"
EVENT_CERTIFICATE_RENEWED: Final = "certificate renewed"
EVENT_CERTIFICATE_BAD: Final = "certificate not renewed, the old one serves"
EVENT_OWN_NAME_UNKNOWN: Final = "own name unknown, own writes are judged too"
EVENT_TURN_FAILED: Final = "turn failed"
EVENT_TURN_CRASHED: Final = "turn crashed"
EVENT_TURN_NOT_RECORDED: Final = "turn not recorded"
EVENT_ROUTING_AMBIGUOUS: Final = "several channel routings match"
EVENT_ROUTE_NOT_ASKED: Final = "route not asked for, the last one serves"
EVENT_RULE_UNUSABLE: Final = "routing rule unusable"
EVENT_ROUTER_MODEL_FAILED: Final = "router model failed"
EVENT_CLARIFIED_BY_TEMPLATE: Final = "clarification by template"
EVENT_REQUEST_REFUSED: Final = "request refused"
EVENT_STORAGE_FAILED: Final = "storage failed"
EVENT_ROSTER_NOT_LEARNT: Final = "roster not learnt"
EVENT_MANIFEST_WARNING: Final = "manifest warning"
EVENT_ARC_TURN_FAILED: Final = "arc turn failed"
EVENT_ARC_AGENT_RAISED: Final = "arc agent raised"
EVENT_ARC_LATE_EVENT: Final = "arc agent spoke after its answer"
EVENT_ARC_CONNECTION_REFUSED: Final = "arc connection refused"
EVENT_ARC_OPERATION_BROKE: Final = "arc operation broke"
EVENT_AGENT_CRASHED: Final = "agent crashed"
EVENT_MODEL_FAILED: Final = "model failed"
EVENT_TOOL_FAILED: Final = "tool failed"
EVENT_AGENTS_RELOADED: Final = "agents reloaded"
EVENT_AGENTS_NOT_RELOADED: Final = "agents not reloaded"
