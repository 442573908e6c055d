{{/*
Who is exempt from the guardrails for everyone else: the parts of the cluster itself, without which it breaks (workload controllers
copy the labels of templates, the garbage collector and the namespace controller delete, the API server itself writes the
use of quotas), the operator, whose fence is tighter, and what `guardrails.exemptUsers` names.
A node is believed only with the group that its certificate gives it.
*/}}
{{- define "strata.isExempt" -}}
(request.userInfo.username in {{ concat (list "system:apiserver" "system:kube-controller-manager" "system:kube-scheduler" (include "strata.username" .)) .Values.guardrails.exemptUsers | toJson }}
    || request.userInfo.username.startsWith('system:serviceaccount:kube-system:')
    || (request.userInfo.username.startsWith('system:node:') && 'system:nodes' in request.userInfo.?groups.orValue([])))
{{- end -}}

{{- define "strata.exemptUsers" -}}
- name: not-the-cluster-itself
  expression: >-
    !{{ include "strata.isExempt" . }}
{{- end -}}

{{/* Whoever may break the glass. Asked last: it is a question to the authorizer. */}}
{{- define "strata.override" -}}
authorizer.group('strata-operator.dev').resource('guardrails').check('override').allowed()
{{- end -}}

{{/* Whoever may get into workbenches of others in the request's namespace: Own. Also a question to the authorizer. */}}
{{- define "strata.enter" -}}
authorizer.group('strata-operator.dev').resource('workbenches').namespace(request.namespace).check('enter').allowed()
{{- end -}}

{{/*
Whether the user is the owner that this expression gives. Owners are written as the identity provider spells them; what the
API server puts before that stands on the namespace, written by the operator. Without it nobody is known to own anything.
*/}}
{{- define "strata.owns" -}}
(namespaceObject.metadata.?annotations[?'strata-operator.dev/user-prefix'].hasValue() && {{ . }} != ''
 && request.userInfo.username == namespaceObject.metadata.annotations['strata-operator.dev/user-prefix'] + {{ . }})
{{- end -}}

{{/* By the name alone, which nobody can strip. */}}
{{- define "strata.inTeamNamespace" -}}
- name: a-namespace-of-a-team
  expression: request.?namespace.orValue('').contains('--')
{{- end -}}

{{/*
Namespaces of teams by the label, and by `--` in the name, so that a label which somebody stripped opens nothing. For
`variables` alone: matchConditions know no namespaceObject.
*/}}
{{- define "strata.ofTeam" -}}
request.namespace.contains('--') || namespaceObject.metadata.?labels[?'strata-operator.dev/team'].hasValue()
{{- end -}}

{{/* The namespaced kinds. */}}
{{- define "strata.namespacedKinds" -}}
[components, datasets, modelservices, pipelines, runs, workbenches]
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
  {{- if .params }}
  # The params are the objects of that kind in the request's namespace. Every one of them must pass; none means pass.
  paramRef:
    selector: {}
    parameterNotFoundAction: Allow
  {{- end }}
  validationActions: [Deny, Audit]
{{- end -}}
