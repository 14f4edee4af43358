{{- define "dlr-mo-connector.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, because a StatefulSet's pods carry its name and a hash in a label of at most 63. */}}
{{- define "dlr-mo-connector.fullname" -}}
{{- $name := include "dlr-mo-connector.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "dlr-mo-connector.headless" -}}
{{- printf "%s-headless" (include "dlr-mo-connector.fullname" .) }}
{{- end }}

{{/* The name of the objects that the helm test creates. */}}
{{- define "dlr-mo-connector.smoke" -}}
{{- printf "%s-smoke" (include "dlr-mo-connector.fullname" .) }}
{{- end }}

{{- define "dlr-mo-connector.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "dlr-mo-connector.fullname" .) "default") }}
{{- end }}

{{/* The Secret that holds the connector's credentials; empty if there is none. */}}
{{- define "dlr-mo-connector.secretName" -}}
{{- if .Values.existingSecret }}
{{- .Values.existingSecret }}
{{- else if .Values.secrets }}
{{- include "dlr-mo-connector.fullname" . }}
{{- end }}
{{- end }}

{{- define "dlr-mo-connector.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Labels that never change during the life of a release, because a StatefulSet's selector and volume claims are immutable. */}}
{{- define "dlr-mo-connector.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dlr-mo-connector.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Selects the pods of the connector, but neither a helm test nor a job that drains a volume. */}}
{{- define "dlr-mo-connector.podSelectorLabels" -}}
{{ include "dlr-mo-connector.selectorLabels" . }}
app.kubernetes.io/component: connector
{{- end }}

{{- define "dlr-mo-connector.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dlr-mo-connector.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Directories inside the container. */}}
{{- define "dlr-mo-connector.configDirectory" -}}/etc/dlr-mo-connector{{- end }}
{{- define "dlr-mo-connector.providersDirectory" -}}/etc/dlr-mo-connector-providers{{- end }}
{{- define "dlr-mo-connector.dataDirectory" -}}/var/lib/dlr-mo-connector{{- end }}
{{- define "dlr-mo-connector.secretDirectory" -}}/run/secrets/connector{{- end }}

{{/* The address of the runbook in monitoring/, which `runbookUrl` replaces. */}}
{{- define "dlr-mo-connector.runbookPlaceholder" -}}
https://github.com/OWNER/dlr-mo-connector/blob/main/docs/runbook.md
{{- end }}

{{/* The address of the runbook. A released chart names the repository of this version in `sources`. */}}
{{- define "dlr-mo-connector.runbookUrl" -}}
{{- if .Values.prometheusRule.runbookUrl }}
{{- .Values.prometheusRule.runbookUrl }}
{{- else if .Chart.Sources }}
{{- printf "%s/blob/v%s/docs/runbook.md" (first .Chart.Sources) .Chart.AppVersion }}
{{- else }}
{{- include "dlr-mo-connector.runbookPlaceholder" . }}
{{- end }}
{{- end }}
