{{/* The name of the chart, or what overrides it. */}}
{{- define "qmo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of all objects. */}}
{{- define "qmo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains (include "qmo.name" .) .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "qmo.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes in the life of a release. */}}
{{- define "qmo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "qmo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "qmo.labels" -}}
{{ include "qmo.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: quantized-model-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "qmo.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "qmo.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "qmo.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ . }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Names of the pull secrets, separated by commas. */}}
{{- define "qmo.pullSecretNames" -}}
{{- $names := list -}}
{{- range .Values.imagePullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{- join "," $names -}}
{{- end -}}

{{/* Metadata of the CustomResourceDefinition below its name. */}}
{{- define "qmo.crdMetadata" -}}
labels:
  {{- include "qmo.labels" . | nindent 2 }}
{{- $annotations := deepCopy .Values.crds.annotations -}}
{{- if .Values.crds.keep -}}
{{- $_ := set $annotations "helm.sh/resource-policy" "keep" -}}
{{- end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "qmo.subjects" -}}
- kind: ServiceAccount
  name: {{ include "qmo.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* Stops the rendering for values that contradict each other. */}}
{{- define "qmo.check" -}}
{{- if and (eq .Values.rbac.scope "namespaces") (not .Values.namespaces) -}}
{{- fail "rbac.scope is `namespaces`: name them in `namespaces`" -}}
{{- end -}}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.replicas) 1) -}}
{{- fail "replicas is above 1: set leaderElection.enabled to true" -}}
{{- end -}}
{{- end -}}
