{{/* What the operator may do in each namespace that it watches: exactly what it does there. */}}
{{- define "lmos.operator.rules" -}}
{{- $discovery := .Values.operator.discovery.enabled -}}
- apiGroups: [lmos.eclipse]
  resources: [channels]
  verbs: [get, list, watch]
- apiGroups: [lmos.eclipse]
  resources: [channels/status]
  verbs: [patch]
# It owns what it derives, and holds the owner's deletion up until that is gone (blockOwnerDeletion).
- apiGroups: [lmos.eclipse]
  resources: [channels/finalizers]
  verbs: [update]
# A server-side apply is a patch, and a creation where nothing is yet.
- apiGroups: [lmos.eclipse]
  resources: [channelroutings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [lmos.eclipse]
  resources: [agents]
  verbs: [get, list, watch{{ if $discovery }}, create, patch, delete{{ end }}]
- apiGroups: [lmos.eclipse]
  resources: [agents/status]
  verbs: [patch]
{{- if $discovery }}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [deployments/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
{{- if .Values.operator.argoRolloutSupport.enabled }}
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, watch]
- apiGroups: [argoproj.io]
  resources: [rollouts/finalizers]
  verbs: [update]
{{- end }}
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
