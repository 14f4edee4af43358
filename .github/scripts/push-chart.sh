#!/usr/bin/env bash
# Pushes a packaged chart to an OCI registry and prints `digest=sha256:…` for $GITHUB_OUTPUT.
#
#   .github/scripts/push-chart.sh release/dlr-mo-connector-0.1.0.tgz ghcr.io/owner/charts [helm push options]
set -euo pipefail

package=${1:?usage: push-chart.sh PACKAGE REPOSITORY [OPTION...]}
repository=${2:?usage: push-chart.sh PACKAGE REPOSITORY [OPTION...]}
shift 2

output=$(helm push "$package" "oci://$repository" "$@" 2>&1) || {
  printf '%s\n' "$output" >&2
  exit 1
}
printf '%s\n' "$output" >&2
digest=$(sed -nE 's/^Digest: (sha256:[0-9a-f]{64})$/\1/p' <<<"$output")
[ -n "$digest" ] || {
  echo 'push-chart: helm push printed no digest' >&2
  exit 1
}
echo "digest=$digest"
