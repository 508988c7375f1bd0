{{/* The runtime's router and model, told by this chart's names or by those of the JVM runtime's charts. */}}

{{- define "lmos.runtime.router" -}}
{{- $values := .Values.runtime }}
{{- $switches := list }}
{{- if $values.classifierVectorEnabled }}{{ $switches = append $switches "vector" }}{{ end }}
{{- if $values.classifierLlmEnabled }}{{ $switches = append $switches "llm" }}{{ end }}
{{- if $values.classifierHybridFastTrackEnabled }}{{ $switches = append $switches "hybrid" }}{{ end }}
{{- if $values.router }}
{{- $values.router }}
{{- else if gt (len $switches) 1 }}
{{- fail (printf "runtime: classifiers %s are all enabled; enable one, or write runtime.router" (join ", " $switches)) }}
{{- else }}
{{- first $switches | default "vector" }}
{{- end }}
{{- end }}

{{- define "lmos.runtime.model" -}}
{{- $values := .Values.runtime }}
{{- $url := $values.llmBaseUrl }}
{{- if and (not $url) (eq $values.llmProvider "openai") }}
{{- $url = "https://api.openai.com/v1" }}
{{- end }}
{{- if and $values.llmModelName $url }}
{{- printf "%s#%s" $url $values.llmModelName }}
{{- else if $values.llmModelName }}
{{- printf "%s:%s" $values.llmProvider $values.llmModelName }}
{{- else if $values.llmBaseUrl }}
{{- fail "runtime.llmBaseUrl needs runtime.llmModelName: which model of that server?" }}
{{- end }}
{{- end }}
