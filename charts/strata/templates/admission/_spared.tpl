{{/*
Who the guardrails for everyone else spare: the parts of the cluster itself, without which it breaks (workload controllers
copy the labels of templates, the garbage collector and the namespace controller delete, the API server itself writes the
use of quotas), the operator, whose fence is tighter, and what `guardrails.spared` names.
A node is believed only with the group that its certificate gives it.
*/}}
{{- define "strata.spared" -}}
- name: not-the-cluster-itself
  expression: >-
    !(request.userInfo.username in {{ concat (list "system:apiserver" "system:kube-controller-manager" "system:kube-scheduler" (include "strata.username" .)) .Values.guardrails.spared | toJson }}
    || request.userInfo.username.startsWith('system:serviceaccount:kube-system:')
    || (request.userInfo.username.startsWith('system:node:') && 'system:nodes' in request.userInfo.?groups.orValue([])))
{{- end -}}

{{/* Whoever may break the glass. Asked last: it is a question to the authorizer. */}}
{{- define "strata.override" -}}
authorizer.group('strata-operator.dev').resource('guardrails').check('override').allowed()
{{- end -}}

{{/* A binding of a policy: refused requests are denied, and stand in the audit log with the reason. */}}
{{- define "strata.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "strata.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny, Audit]
{{- end -}}
