{{/* Environment of the runtime. */}}
{{- define "lmos.runtime.env" -}}
{{- $part := dict "root" . "part" "runtime" }}
{{- $values := .Values.runtime }}
{{- $operator := printf "http://%s.%s:%v" (include "lmos.part.fullname" (dict "root" . "part" "operator")) .Release.Namespace .Values.operator.service.port -}}
{{ include "lmos.part.env" $part }}
- name: LMOS_PORT
  value: "8081"
- name: LMOS_DATA
  value: /data
- name: LMOS_OPERATOR_URL
  value: {{ $values.agentRegistryUrl | default $operator | quote }}
- name: LMOS_NAMESPACE
  value: {{ $values.namespace | default .Release.Namespace }}
- name: LMOS_ROUTER
  value: {{ include "lmos.runtime.router" . }}
- name: LMOS_ENCODER
  value: {{ $values.encoder | quote }}
{{- with include "lmos.runtime.model" . }}
- name: LMOS_ROUTER_MODEL
  value: {{ . | quote }}
{{- end }}
{{- with $values.secretName }}
- name: LMOS_MODEL_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: LLM_API_KEY
      optional: true
- name: LMOS_ENCODER_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: EMBEDDING_MODEL_API_KEY
      optional: true
{{- end }}
{{- end }}
