{{/* Names and labels. "lmos.part" templates take a dict: root (the chart's context), part ("operator" or "runtime"). */}}

{{- define "lmos.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "lmos.fullname" -}}
{{- $name := include "lmos.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Name of a part's objects. */}}
{{- define "lmos.part.fullname" -}}
{{- $values := index .root.Values .part }}
{{- if $values.fullnameOverride }}
{{- $values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" (include "lmos.fullname" .root) ($values.nameOverride | default .part) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "lmos.part.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lmos.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "lmos.part.labels" -}}
{{ include "lmos.part.selectorLabels" . }}
app.kubernetes.io/part-of: lmos
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Metadata of a part's object; `suffix` and `annotations` may be given. */}}
{{- define "lmos.part.metadata" -}}
name: {{ include "lmos.part.fullname" . }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "lmos.part.labels" . | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lmos.part.serviceAccountName" -}}
{{- $account := (index .root.Values .part).serviceAccount }}
{{- if $account.create }}
{{- $account.name | default (include "lmos.part.fullname" .) }}
{{- else }}
{{- $account.name | default "default" }}
{{- end }}
{{- end }}

{{/* Name of what lives outside of the release's namespace: releases in several namespaces must not meet. */}}
{{- define "lmos.clusterName" -}}
{{- printf "%s-%s" .root.Release.Namespace (include "lmos.part.fullname" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
