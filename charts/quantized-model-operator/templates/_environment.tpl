{{/* What the process is told; the names are those that the program reads. */}}
{{- define "qmo.environment" -}}
- name: QMO_OPERATOR_IMAGE
  value: {{ include "qmo.image" . | quote }}
- name: QMO_OPERATOR_IMAGE_PULL_POLICY
  value: {{ .Values.image.pullPolicy | quote }}
- name: QMO_IMAGE_PULL_SECRETS
  value: {{ include "qmo.pullSecretNames" . | quote }}
- name: QMO_GPU_ENGINE_IMAGE
  value: {{ .Values.engines.gpu.image | quote }}
- name: QMO_GPU_ENGINE_VERSION
  value: {{ .Values.engines.gpu.version | quote }}
- name: QMO_CPU_ENGINE_IMAGE
  value: {{ .Values.engines.cpu.image | quote }}
- name: QMO_CPU_ENGINE_VERSION
  value: {{ .Values.engines.cpu.version | quote }}
- name: QMO_ENGINE_PULL_POLICY
  value: {{ .Values.engines.pullPolicy | quote }}
- name: QMO_HUB_ENDPOINT
  value: {{ .Values.hub.endpoint | quote }}
- name: QMO_HUB_CA_CONFIG_MAP
  value: {{ .Values.hub.caConfigMap | quote }}
- name: QMO_CLUSTER_DOMAIN
  value: {{ .Values.clusterDomain | quote }}
- name: QMO_ALLOW_CUSTOM_IMAGES
  value: {{ .Values.allowCustomImages | quote }}
- name: QMO_NAMESPACES
  value: {{ join "," .Values.namespaces | quote }}
- name: QMO_LEADER_ELECTION
  value: {{ .Values.leaderElection.enabled | quote }}
- name: QMO_LEASE_NAME
  value: {{ default (include "qmo.fullname" .) .Values.leaderElection.leaseName | quote }}
- name: QMO_HTTP_PORT
  value: {{ .Values.httpPort | quote }}
- name: QMO_WORKERS
  value: {{ .Values.workers | quote }}
- name: QMO_RESYNC_SECONDS
  value: {{ .Values.resyncSeconds | quote }}
- name: QMO_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
