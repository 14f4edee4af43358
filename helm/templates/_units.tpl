{{/*
Durations (250ms, 30s, 3m, 1h, 31d, 0) in milliseconds. Empty for what is not known before the connector starts,
such as "${GRACE}".
*/}}
{{- define "dlr-mo-connector.milliseconds" -}}
{{- $text := toString . }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 }}
{{- if eq $text "0" -}}
0
{{- else if regexMatch "^[0-9]+(ms|s|m|h|d)$" $text }}
{{- mul (regexFind "^[0-9]+" $text | atoi) (get $units (regexFind "[a-z]+$" $text)) }}
{{- end }}
{{- end }}

{{/* Sizes as the connector writes them (512KiB, 1GiB, 64MB, plain bytes) in bytes. Empty for what is not known. */}}
{{- define "dlr-mo-connector.bytes" -}}
{{- /* A number of a values file is a float, which would be written as 1.073741824e+09. */}}
{{- $text := kindIs "float64" . | ternary (int64 .) . | toString }}
{{- $units := dict "" 1 "B" 1 "KB" 1000 "kB" 1000 "MB" 1000000 "GB" 1000000000 "TB" 1000000000000 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "TiB" 1099511627776 }}
{{- if regexMatch "^[0-9]+([KMGT]B|kB|B|[KMGT]iB)?$" $text }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $units (regexFind "[A-Za-z]*$" $text)) }}
{{- end }}
{{- end }}

{{/* Quantities as Kubernetes writes them (10Gi, 500M) in bytes. */}}
{{- define "dlr-mo-connector.quantity" -}}
{{- $text := toString . }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $units (regexFind "[A-Za-z]*$" $text)) }}
{{- end }}
