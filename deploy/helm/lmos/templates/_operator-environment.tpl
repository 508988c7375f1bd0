{{/* Environment of the operator. */}}
{{- define "lmos.operator.env" -}}
{{- $part := dict "root" . "part" "operator" }}
{{- $values := .Values.operator -}}
{{ include "lmos.part.env" $part }}
- name: LMOS_PORT
  value: "8080"
- name: LMOS_NAMESPACES
  value: {{ join "," $values.clientNamespaces | quote }}
- name: LMOS_LEADER_ELECT
  value: {{ $values.leaderElection.enabled | quote }}
{{- if $values.leaderElection.enabled }}
- name: LMOS_LEASE_NAME
  value: {{ include "lmos.part.fullname" $part }}
- name: LMOS_LEASE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
- name: LMOS_DISCOVERY
  value: {{ $values.discovery.enabled | quote }}
- name: LMOS_ARGO_ROLLOUTS
  value: {{ $values.argoRolloutSupport.enabled | quote }}
- name: LMOS_ADMISSION
  value: {{ $values.admission.mode | quote }}
{{- if ne $values.admission.mode "off" }}
- name: LMOS_ADMISSION_PORT
  value: "9443"
- name: LMOS_ADMISSION_CERT
  value: /certificate/tls.crt
- name: LMOS_ADMISSION_KEY
  value: /certificate/tls.key
{{- end }}
{{- end }}
