{{/* connector.yaml: the chart's defaults, overridden by `config`, overridden by what only the chart can know. */}}
{{- define "dlr-mo-connector.config" -}}
{{- $defaults := dict "callbacks" (dict "host" "0.0.0.0") "admin" (dict "host" "0.0.0.0") }}
{{- /* Zero replicas keep `sharing` too: a job that drains a remaining volume must look up what other replicas published. */}}
{{- if or (ne (int .Values.replicas) 1) (hasKey .Values.config "sharing") }}
{{- $group := printf "dlr-mo-connector.%s.%s" .Release.Namespace (include "dlr-mo-connector.fullname" .) }}
{{- $_ := set $defaults "sharing" (dict "group" $group) }}
{{- end }}
{{- $directory := printf "%s/journal" (include "dlr-mo-connector.dataDirectory" .) }}
{{- $owned := dict "instance" "${POD_NAMESPACE}-${POD_NAME}" "journal" (dict "directory" $directory) "callbacks" (dict "port" 8080) "admin" (dict "port" 9464) }}
{{- if .Values.providers.descriptions }}
{{- $_ := set $owned "providers" (dict "directory" (include "dlr-mo-connector.providersDirectory" .)) }}
{{- end }}
{{- mustMergeOverwrite $defaults (deepCopy .Values.config) $owned | toYaml }}
{{- end }}

{{/* What of connector.yaml takes effect at a restart only (docs/reload.md). */}}
{{- define "dlr-mo-connector.restartKeys" -}}
{{- $config := include "dlr-mo-connector.config" . | fromYaml }}
{{- $callbacks := $config.callbacks | default dict }}
{{- $tls := $callbacks.tls | default dict }}
{{- $parts := dict "root" (pick $config "instance" "journal" "sharing" "duplicates" "records" "log" "telemetry") }}
{{- $_ := set $parts "kafka" (pick ($config.kafka | default dict) "topics" "delivery" "transactionTimeout") }}
{{- $_ := set $parts "callbacks" (pick $callbacks "host" "port") }}
{{- $_ := set $parts "admin" (pick ($config.admin | default dict) "host" "port") }}
{{- $_ := set $parts "given" (list (hasKey $callbacks "tls") (hasKey $tls "clientCa")) }}
{{- toJson $parts }}
{{- end }}

{{/* The longest `pull.timeout` of all sources in milliseconds; 0 where nothing is pulled. */}}
{{- define "dlr-mo-connector.longestPull" -}}
{{- $longest := 0 }}
{{- range .Values.config.sources }}
{{- if hasKey . "pull" }}
{{- $longest = max $longest (include "dlr-mo-connector.milliseconds" ((.pull | default dict).timeout | default "30s") | default 0) }}
{{- end }}
{{- end }}
{{- $longest }}
{{- end }}

{{/* Minutes within which every polled source is requested more than once: four times the longest `pull.idleDelay`. */}}
{{- define "dlr-mo-connector.pullWindowMinutes" -}}
{{- $minutes := 15 }}
{{- range .Values.config.sources }}
{{- if hasKey . "pull" }}
{{- $idle := include "dlr-mo-connector.milliseconds" ((.pull | default dict).idleDelay | default "3m") | default 0 }}
{{- $minutes = max $minutes (div (add (mul 4 $idle) 59999) 60000) }}
{{- end }}
{{- end }}
{{- $minutes }}
{{- end }}

{{/* Seconds that the connector may take to stop after SIGTERM, rounded up. */}}
{{- define "dlr-mo-connector.stopSeconds" -}}
{{- $drain := include "dlr-mo-connector.milliseconds" ((.Values.config.callbacks | default dict).drainDelay | default "0") | default 0 }}
{{- $grace := include "dlr-mo-connector.milliseconds" (.Values.config.shutdownGrace | default "20s") | default 0 }}
{{- div (add $drain $grace (include "dlr-mo-connector.longestPull" .) 999) 1000 }}
{{- end }}

{{- define "dlr-mo-connector.terminationGracePeriodSeconds" -}}
{{- .Values.terminationGracePeriodSeconds | default (add (include "dlr-mo-connector.stopSeconds" .) 15) }}
{{- end }}

{{- define "dlr-mo-connector.journalMaxBytes" -}}
{{- include "dlr-mo-connector.bytes" ((.Values.config.journal | default dict).maxBytes | default "1GiB") }}
{{- end }}

{{/* The port of an http or https address; empty if it is unknown until the connector starts. */}}
{{- define "dlr-mo-connector.urlPort" -}}
{{- $port := regexFind "^https?://(\\[[^]]*\\]|(\\$\\{[^}]*\\}|[^:/?])+):[0-9]+" . | regexFind "[0-9]+$" }}
{{- if $port }}
{{- $port }}
{{- else if regexMatch "^https?://[^/?]*\\$" . }}
{{- else if hasPrefix "https://" . -}}
443
{{- else if hasPrefix "http://" . -}}
80
{{- end }}
{{- end }}

{{/* The ports of the brokers in `config`, one per line. */}}
{{- define "dlr-mo-connector.brokerPorts" -}}
{{- $brokers := (.Values.config.kafka | default dict).brokers }}
{{- range (kindIs "slice" $brokers | ternary $brokers (splitList "," (toString $brokers))) }}
{{- with regexFind ":[0-9]+$" (trim (toString .)) }}
{{ trimPrefix ":" . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "dlr-mo-connector.registryPorts" -}}
{{- include "dlr-mo-connector.urlPort" ((.Values.config.registry | default dict).url | default "") }}
{{- end }}

{{/* The ports of all HTTP peers except the registry, one per line. */}}
{{- define "dlr-mo-connector.providerPorts" -}}
{{- range .Values.config.sources }}
{{- $source := . }}
{{- range $way, $default := dict "pull" "https://api-public-2.mtarget.fr/notification" "reconcile" "https://gateway.seven.io/api" }}
{{- if hasKey $source $way }}
{{ include "dlr-mo-connector.urlPort" ((get $source $way | default dict).url | default $default) }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.config.sources }}
{{- if ((. | default dict).callback | default dict).topicArns }}
443
{{- end }}
{{- end }}
{{- $sasl := (.Values.config.kafka | default dict).sasl | default dict }}
{{- with $sasl.tokenEndpoint }}
{{ include "dlr-mo-connector.urlPort" . }}
{{- end }}
{{- with ((.Values.config.registry | default dict).auth | default dict).tokenEndpoint }}
{{ include "dlr-mo-connector.urlPort" . }}
{{- end }}
{{- if eq (toString $sasl.mechanism) "aws-msk-iam" }}
443
{{- end }}
{{- end }}

{{- define "dlr-mo-connector.proxyPorts" -}}
{{- include "dlr-mo-connector.urlPort" ((.Values.config.proxy | default dict).url | default "") }}
{{- end }}

{{- define "dlr-mo-connector.telemetryPorts" -}}
{{- include "dlr-mo-connector.urlPort" (((.Values.config.telemetry | default dict).otlp | default dict).endpoint | default "") }}
{{- end }}

{{/* The egress rule of a network policy that allows DNS. */}}
{{- define "dlr-mo-connector.dnsRule" -}}
- ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
