{{/* Objects belong to a release; what runs belongs to a component of it. */}}

{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "weir.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "weir.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.server" -}}{{ include "weir.fullname" . }}-server{{- end -}}
{{- define "weir.agent" -}}{{ include "weir.fullname" . }}-agent{{- end -}}
{{- define "weir.clusterWatch" -}}{{ include "weir.fullname" . | trunc 49 | trimSuffix "-" }}-cluster-watch{{- end -}}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ include "weir.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- define "weir.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.tokenSecret" -}}
{{- default (printf "%s-token" (include "weir.fullname" .)) .Values.token.existingSecret -}}
{{- end -}}

{{- define "weir.serverUrl" -}}
{{- if .Values.agent.server -}}
{{- .Values.agent.server -}}
{{- else -}}
http://{{ include "weir.server" . }}.{{ .Release.Namespace }}.svc:{{ .Values.server.service.port }}
{{- end -}}
{{- end -}}

{{/* Variables of a `config`: section and name become WEIR_SECTION_NAME. What the chart itself sets
     may not be set twice, since the last would silently win. */}}
{{- define "weir.config" -}}
{{- range $section, $keys := .config }}
{{- range $name, $value := $keys }}
{{- $key := printf "%s.%s" $section $name }}
{{- if has $key $.reserved }}
{{- fail (printf "%s is set by the chart itself; see values.yaml for the value that it follows" $key) }}
{{- end }}
- name: {{ printf "WEIR_%s_%s" (upper $section) (upper $name) }}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | toString | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What is watched: objects that name an end of a flow, never Secrets or ConfigMaps. */}}
{{- define "weir.watchRules" -}}
- apiGroups: [""]
  resources: [namespaces, nodes, pods, services, events]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end -}}

{{/* Port of the server elsewhere, from its URL. */}}
{{- define "weir.serverPort" -}}
{{- $url := urlParse .Values.agent.server -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port -}}
{{- end -}}
