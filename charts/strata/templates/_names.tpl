{{/*
Names that more than one template needs. They are fixed, whatever the release is called: the operator, the
admission policies and the people who read them all know them, and one operator serves one cluster.
*/}}

{{/* The operator's own username, which the fence is built around. */}}
{{- define "strata.username" -}}
{{- if contains "--" .Release.Namespace -}}
{{- fail (printf "the operator cannot live in namespace %q: names with \"--\" belong to teams; choose another, such as strata-system" .Release.Namespace) -}}
{{- end -}}
system:serviceaccount:{{ .Release.Namespace }}:strata
{{- end -}}

{{/* Labels of every object of this chart. */}}
{{- define "strata.labels" -}}
app.kubernetes.io/name: strata
app.kubernetes.io/part-of: strata
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{/* Labels by which the operator's own pods are selected. */}}
{{- define "strata.selector" -}}
app.kubernetes.io/name: strata
app.kubernetes.io/component: operator
{{- end -}}

{{/* The layers and the levels, lowest first: a level holds all that the levels before it hold. */}}
{{- define "strata.layers" -}}backbone shared workspace live{{- end -}}
{{- define "strata.levels" -}}view use contribute own{{- end -}}

{{/* Every ClusterRole that the operator may bind to people, one per line. */}}
{{- define "strata.bindable" -}}
{{- range $layer := splitList " " (include "strata.layers" .) }}
{{- range $level := splitList " " (include "strata.levels" $) }}
strata:{{ $layer }}:{{ $level }}
{{- end }}
{{- end }}
strata:guardrails
strata:pipelines
{{- end -}}
