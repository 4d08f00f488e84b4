{{/* Generated; to change it: make generate */}}

{{- define "qmo.permissions.models" -}}
- apiGroups:
  - serving.quantizedmodel.dev
  resources:
  - quantizedmodels
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - serving.quantizedmodel.dev
  resources:
  - quantizedmodels/status
  verbs:
  - patch
- apiGroups:
  - serving.quantizedmodel.dev
  resources:
  - quantizedmodels/finalizers
  verbs:
  - update
- apiGroups:
  - apps
  resources:
  - deployments
  verbs:
  - list
  - watch
  - create
  - patch
- apiGroups:
  - ''
  resources:
  - services
  verbs:
  - list
  - watch
  - create
  - patch
- apiGroups:
  - batch
  resources:
  - jobs
  verbs:
  - get
  - list
  - watch
  - create
  - delete
- apiGroups:
  - ''
  resources:
  - configmaps
  verbs:
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - ''
  resources:
  - pods
  verbs:
  - list
  - watch
- apiGroups:
  - ''
  resources:
  - pods/log
  verbs:
  - get
- apiGroups:
  - ''
  resources:
  - persistentvolumeclaims
  verbs:
  - list
  - watch
- apiGroups:
  - ''
  resources:
  - events
  verbs:
  - create
{{- end -}}

{{- define "qmo.permissions.cluster" -}}
- apiGroups:
  - ''
  resources:
  - nodes
  verbs:
  - list
  - watch
{{- end -}}

{{- define "qmo.permissions.own" -}}
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - get
  - create
  - update
{{- end -}}
