#!/usr/bin/env bash
# Packages the chart for a release and prints the path of the package. In the package, unlike in the source tree, the image
# and the sources are those of the repository that publishes it.
#
#   .github/scripts/package-chart.sh ghcr.io/owner/dlr-mo-connector https://github.com/owner/repository release
set -euo pipefail

image=${1:?usage: package-chart.sh IMAGE SOURCE DESTINATION}
source=${2:?usage: package-chart.sh IMAGE SOURCE DESTINATION}
destination=$(realpath "${3:?usage: package-chart.sh IMAGE SOURCE DESTINATION}")
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r helm "$folder/dlr-mo-connector"
cd "$folder"

[ "$(grep --count '^  repository: dlr-mo-connector$' dlr-mo-connector/values.yaml)" = 1 ] || {
  echo 'package-chart: helm/values.yaml has no single line "  repository: dlr-mo-connector"' >&2
  exit 1
}
sed -i "s|^  repository: dlr-mo-connector$|  repository: $image|" dlr-mo-connector/values.yaml
# Registries show the package beside the repository that `sources` names.
printf 'sources:\n  - %s\n' "$source" >>dlr-mo-connector/Chart.yaml

helm lint --strict --values dlr-mo-connector/ci/default-values.yaml dlr-mo-connector >&2
helm package dlr-mo-connector --destination "$destination" >&2
echo "$destination/dlr-mo-connector-$(sed -nE 's/^version: *(.+)$/\1/p' dlr-mo-connector/Chart.yaml).tgz"
