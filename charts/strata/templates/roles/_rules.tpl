{{/*
Rules that more than one layer grants, each with its reason. They are included by the files of the layers.
Nothing here may name Secrets outside "strata.rules.own", nor quotas, limit ranges, network policies, bindings
or namespaces with a verb that writes.
*/}}

{{/* Reading: all that is not secret, in every layer. */}}
{{- define "strata.rules.read" -}}
# To see what runs here, what it is configured with, and what the cluster says about it. Secrets are not configuration.
- apiGroups: [""]
  resources: [configmaps, events, persistentvolumeclaims, pods, serviceaccounts, services]
  verbs: [get, list, watch]
# To see which workload a pod belongs to, and whether a change has rolled out.
- apiGroups: [apps]
  resources: [controllerrevisions, daemonsets, deployments, replicasets, statefulsets]
  verbs: [get, list, watch]
# To see which jobs run, which have failed and when the next one is due.
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [get, list, watch]
# To see why the number of replicas is what it is.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
# To see why a drained node waits.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch]
# To see whether a service has a pod behind it.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
# To see under which name a service is reached.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
# Events are served by two API groups; kubectl reads this one.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, list, watch]
# `kubectl top pod`: what a workload needs is learnt from what it used.
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [get, list]
{{- end -}}

{{/* Logs: a right of its own, because what is logged in production may hold customers' data. */}}
{{- define "strata.rules.logs" -}}
# To see why something failed.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end -}}

{{/* Workloads of one's own making, where the layer lets people make pods. */}}
{{- define "strata.rules.workloads" -}}
# Pods are made and removed, never changed: whoever updates a pod can put an image of theirs into a colleague's. For the
# same reason ephemeral containers are not here.
- apiGroups: [""]
  resources: [pods]
  verbs: [create, delete, deletecollection]
# Settings, storage and addresses of the workloads below. What is called strata-* or connections stays the operator's.
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims, services]
  verbs: [create, update, patch, delete, deletecollection]
# Long-running workloads: a demo, a labelling tool, an API under test.
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [create, update, patch, delete, deletecollection]
# `kubectl scale`: the number of replicas alone.
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale]
  verbs: [get, update, patch]
# Training and batch work that is not a Run.
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [create, update, patch, delete, deletecollection]
# Replicas that follow the load.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [create, update, patch, delete]
# Workloads that survive the draining of a node.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, update, patch, delete]
{{- end -}}

{{/* What an owner adds in every layer. */}}
{{- define "strata.rules.own" -}}
# Credentials are put here by their owner; the operator cannot read them. Type service-account-token is refused by policy.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
# Rights for the identities of workloads. Kubernetes refuses a Role that holds more than its author does.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles]
  verbs: [get, list, watch, create, update, patch, delete]
# To see who holds what here before granting more.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, list, watch]
{{- end -}}

{{/* Ports of pods, in every layer but Backbone. */}}
{{- define "strata.rules.portforward" -}}
# To reach services from one's own machine; of workbenches only one's own (admission/connect.yaml). Websocket clients need
# `get` too; View has neither, because on older servers `get` alone opens the connection.
- apiGroups: [""]
  resources: [pods/portforward]
  verbs: [get, create]
{{- end -}}

{{/* Commands in pods. */}}
{{- define "strata.rules.exec" -}}
# To run commands in one's workbench, and, for whoever may make pods, in other pods than workbenches (admission/connect.yaml).
# `get` as for port-forward.
- apiGroups: [""]
  resources: [pods/attach, pods/exec]
  verbs: [get, create]
{{- end -}}

{{/* Identities for workloads, in the layers whose owners may make pods. */}}
{{- define "strata.rules.identities" -}}
# An identity per workload instead of one for all. A token is not to be had: no level holds serviceaccounts/token.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [create, update, patch, delete]
# To give them Roles of this namespace. A policy (admission/bindings.yaml) refuses a binding of anybody else, and of any
# other role: people come through the AITeam alone. Not in Backbone, where the identity is the deployer's.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [create, update, patch, delete]
{{- end -}}

{{/* The head of a part: a ClusterRole that a level takes its rules from. Arguments: root, part, layer, level. */}}
{{- define "strata.part" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: strata:part:{{ .part }}:{{ .layer }}:{{ .level }}
  labels:
    {{- include "strata.labels" .root | nindent 4 }}
    rbac.strata-operator.dev/aggregate-to-{{ .layer }}-{{ .level }}: "true"
{{- end -}}
