{{/*
The paths of credentials that `config` contains in plain text, one per line. Called with a dict of `at` (a path) and `value`.
*/}}
{{- define "dlr-mo-connector.plainSecrets" -}}
{{- $at := .at }}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- $path := printf "%s.%s" $at $key }}
{{- if and (has $key (list "password" "token" "apiKey" "signingKey" "clientSecret" "keySecret")) (kindIs "string" $value) }}
{{- if not (contains "${" $value) }}
{{ $path }}
{{- end }}
{{- else }}
{{- include "dlr-mo-connector.plainSecrets" (dict "at" $path "value" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The paths of stop times that come from the environment, one per line. */}}
{{- define "dlr-mo-connector.unknownTimes" -}}
{{- $config := .Values.config }}
{{- if contains "${" (toString ($config.callbacks | default dict).drainDelay) }}
config.callbacks.drainDelay
{{- end }}
{{- if contains "${" (toString $config.shutdownGrace) }}
config.shutdownGrace
{{- end }}
{{- range $name, $source := $config.sources }}
{{- if contains "${" (toString ($source.pull | default dict).timeout) }}
config.sources.{{ $name }}.pull.timeout
{{- end }}
{{- end }}
{{- end }}

{{/* Lists of paths whose port comes from the environment, by the peer's name in networkPolicy. */}}
{{- define "dlr-mo-connector.unknownPorts" -}}
{{- $config := .Values.config }}
{{- $brokers := ($config.kafka | default dict).brokers }}
{{- $unknown := dict "brokers" list "registry" list "providers" list "proxy" list }}
{{- range (kindIs "slice" $brokers | ternary $brokers (splitList "," (toString $brokers))) }}
{{- if not (regexMatch ":[0-9]+$" (trim (toString .))) }}
{{- $_ := set $unknown "brokers" (list "config.kafka.brokers") }}
{{- end }}
{{- end }}
{{- if not (include "dlr-mo-connector.registryPorts" .) }}
{{- $_ := set $unknown "registry" (list "config.registry.url") }}
{{- end }}
{{- with ($config.proxy | default dict).url }}
{{- if not (include "dlr-mo-connector.urlPort" .) }}
{{- $_ := set $unknown "proxy" (list "config.proxy.url") }}
{{- end }}
{{- end }}
{{- range $name, $source := $config.sources }}
{{- range $way := list "pull" "reconcile" }}
{{- with (get $source $way | default dict).url }}
{{- if not (include "dlr-mo-connector.urlPort" .) }}
{{- $_ := set $unknown "providers" (append $unknown.providers (printf "config.sources.%s.%s.url" $name $way)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $unknown }}
{{- end }}

{{/* Settings that can be installed but are risky, one sentence per line. */}}
{{- define "dlr-mo-connector.risks" -}}
{{- $config := .Values.config }}
{{- $kafka := $config.kafka | default dict }}
{{- $registry := $config.registry | default dict }}
{{- $behindProxy := or .Values.ingress.enabled .Values.httpRoute.enabled }}

{{- if not .Values.persistence.enabled }}
persistence.enabled is false: what is in custody and not yet published is LOST whenever a pod is deleted.
{{- else }}
{{- with include "dlr-mo-connector.journalMaxBytes" . }}
{{- if lt (include "dlr-mo-connector.quantity" $.Values.persistence.size | int64) (add (mul 2 (int64 .)) 1073741824) }}
persistence.size ({{ $.Values.persistence.size }}) is less than twice config.journal.maxBytes plus 1 GiB: the disk may be full before the journal is.
{{- end }}
{{- end }}
{{- if or (eq .Values.persistence.retention.whenScaled "Delete") (eq .Values.persistence.retention.whenDeleted "Delete") }}
persistence.retention deletes volumes: what a replica has not published within its grace period is LOST with its volume.
{{- end }}
{{- end }}
{{- if eq (int .Values.replicas) 0 }}
replicas is 0: nothing is taken in, and nothing is published.
{{- else if eq (int .Values.replicas) 1 }}
replicas is 1: while that pod is away, no replica takes callbacks.
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not .Values.podDisruptionBudget.enabled) }}
podDisruptionBudget.enabled is false: all replicas may be evicted at once.
{{- end }}

{{- range $name, $source := $config.sources }}
{{- $callback := $source.callback | default dict }}
{{- if eq (toString $callback.open) "true" }}
config.sources.{{ $name }}.callback is open: anyone who reaches the port can hand in receipts and messages.
{{- end }}
{{- if and $callback.allowFrom $behindProxy (ne (toString ($config.callbacks | default dict).trustProxy) "true") }}
config.sources.{{ $name }}.callback.allowFrom sees the proxy's address, because config.callbacks.trustProxy is not true.
{{- end }}
{{- end }}
{{- if and $behindProxy (not .Values.ingress.tls) .Values.ingress.enabled }}
ingress.tls is empty: tokens in the URLs of callbacks travel unencrypted, unless TLS ends before the ingress.
{{- end }}

{{- if not $kafka.tls }}
config.kafka.tls is not set: phone numbers and texts{{ if $kafka.sasl }}, and the credentials of kafka.sasl,{{ end }} travel to the brokers unencrypted.
{{- end }}
{{- if hasPrefix "http://" ($registry.url | default "") }}
config.registry.url is plain http: anyone on the network path can change schemas{{ if $registry.auth }}, and read the credentials of registry.auth{{ end }}.
{{- end }}
{{- if hasKey $kafka "createTopics" }}
{{- if eq (toString (($kafka.createTopics | default dict).replicationFactor | default 1)) "1" }}
config.kafka.createTopics.replicationFactor is 1: events are lost if the one broker that holds them is lost.
{{- end }}
{{- end }}
{{- if eq (toString $kafka.delivery) "at-least-once" }}
config.kafka.delivery is at-least-once: after a crash or a lost response, events may appear twice on the topics.
{{- end }}
{{- if eq (toString ($config.log | default dict).personalData) "plain" }}
config.log.personalData is plain: phone numbers and texts appear in the log.
{{- end }}

{{- range include "dlr-mo-connector.plainSecrets" (dict "at" "config" "value" $config) | splitList "\n" | compact }}
{{ . }} is stored in a ConfigMap in plain text: write ${NAME}, and put NAME into a Secret.
{{- end }}
{{- if .Values.secrets }}
Helm keeps secrets in its release history: except for a trial, name your own Secret in existingSecret.
{{- end }}

{{- if not .Values.terminationGracePeriodSeconds }}
{{- range include "dlr-mo-connector.unknownTimes" . | splitList "\n" | compact }}
{{ . }} is not known before the connector starts, so terminationGracePeriodSeconds was computed without it: set terminationGracePeriodSeconds.
{{- end }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
{{- range $peer, $paths := include "dlr-mo-connector.unknownPorts" . | fromYaml }}
{{- if and $paths (not (get $.Values.networkPolicy $peer).ports) }}
{{ join " and " $paths }} names no port that is known before the connector starts, so the network policy allows no traffic to it: list its port in networkPolicy.{{ $peer }}.ports.
{{- end }}
{{- end }}
{{- end }}

{{- if not (and .Values.networkPolicy.enabled .Values.networkPolicy.callbacksFrom) }}
{{ .Values.networkPolicy.enabled | ternary "networkPolicy.callbacksFrom is empty" "networkPolicy.enabled is false" }}: any address may call the callbacks port{{ if $behindProxy }}, past the proxy too; name the pods of the ingress controller{{ end }}.
{{- end }}
{{- if not (hasKey ($config.admin | default dict) "token") }}
config.admin.token is not set: whoever may reach the admin port reads the status and adds to the watch list.
{{- end }}
{{- if not .Values.networkPolicy.enabled }}
networkPolicy.enabled is false: every pod of the cluster reaches the admin port.
{{- else if not .Values.networkPolicy.adminFrom }}
networkPolicy.adminFrom is empty: every pod of the cluster reaches the admin port.
{{- else if and .Values.serviceMonitor.enabled (eq (toJson .Values.networkPolicy.adminFrom) `[{"podSelector":{}}]`) }}
networkPolicy.adminFrom admits pods of this namespace only: a Prometheus elsewhere cannot scrape.
{{- end }}
{{- if and .Values.image.tag (eq .Values.image.tag "latest") (not .Values.image.digest) }}
image.tag is latest: any restart may run another version.
{{- end }}
{{- end }}
