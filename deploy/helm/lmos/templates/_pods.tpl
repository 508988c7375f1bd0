{{/* What the pods of both parts have in common. All take a dict: root, part. */}}

{{- define "lmos.part.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (index .root.Values .part).image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Metadata of the pod, which a Deployment replaces when one of them changes. */}}
{{- define "lmos.part.podMetadata" -}}
{{- $values := index .root.Values .part -}}
labels:
  {{- include "lmos.part.labels" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The pod without its containers and volumes. */}}
{{- define "lmos.part.pod" -}}
{{- $values := index .root.Values .part -}}
serviceAccountName: {{ include "lmos.part.serviceAccountName" . }}
enableServiceLinks: false
{{- with $values.imagePullSecrets | default .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- mergeOverwrite (deepCopy .root.Values.podSecurityContext) $values.podSecurityContext | toYaml | nindent 2 }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $labels := include "lmos.part.selectorLabels" . | fromYaml }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $labels)) | list | toYaml | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The container without its arguments, environment and ports. */}}
{{- define "lmos.part.container" -}}
{{- $values := index .root.Values .part -}}
image: {{ include "lmos.part.image" . }}
imagePullPolicy: {{ (mergeOverwrite (deepCopy .root.Values.image) $values.image).pullPolicy }}
securityContext:
  {{- mergeOverwrite (deepCopy .root.Values.securityContext) $values.securityContext | toYaml | nindent 2 }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
startupProbe:
  {{- include "lmos.probe" (dict "path" "/livez" "probe" $values.startupProbe) | nindent 2 }}
livenessProbe:
  {{- include "lmos.probe" (dict "path" "/livez" "probe" $values.livenessProbe) | nindent 2 }}
readinessProbe:
  {{- include "lmos.probe" (dict "path" "/readyz" "probe" $values.readinessProbe) | nindent 2 }}
{{- with $values.preStopSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ . }}
{{- end }}
{{- end }}

{{- define "lmos.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{ toYaml .probe }}
{{- end }}

{{/* Environment that both parts have. */}}
{{- define "lmos.part.env" -}}
{{- $logging := mergeOverwrite (deepCopy .root.Values.logging) (index .root.Values .part).logging -}}
- name: LMOS_HOST
  value: {{ .root.Values.listenAddress | quote }}
- name: LMOS_METRICS_PORT
  value: "9090"
- name: LMOS_LOG_FORMAT
  value: {{ $logging.format }}
- name: LMOS_LOG_LEVEL
  value: {{ $logging.level }}
{{- end }}

{{/* The chart's variables (`ours`, YAML), then the user's (`theirs`), which win: a name may be in the list only once. */}}
{{- define "lmos.env" -}}
{{- $names := list }}
{{- range .theirs }}{{ $names = append $names .name }}{{ end }}
{{- $env := list }}
{{- range .ours | fromYamlArray }}
{{- if not (has .name $names) }}{{ $env = append $env . }}{{ end }}
{{- end }}
{{- concat $env .theirs | toYaml }}
{{- end }}

{{/* The root filesystem is read-only, and some libraries want a place for scratch files. */}}
{{- define "lmos.scratchVolume" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end }}
