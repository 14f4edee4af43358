#!/usr/bin/env bash
# Checks that a tag, package.json, the chart and the changelog name one version, and prints what the release jobs need of it
# as `key=value` lines for $GITHUB_OUTPUT.
#
#   .github/scripts/check-version.sh v0.1.0 owner/repository
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=${1:?usage: check-version.sh TAG OWNER/REPOSITORY}
repository=${2:?usage: check-version.sh TAG OWNER/REPOSITORY}

fail() {
  echo "check-version: $*" >&2
  exit 1
}

chart_value() {
  sed -nE "s/^$1: *[\"']?([^\"' #]+)[\"']?.*$/\1/p" helm/Chart.yaml
}

version=${tag#v}
[ "$tag" = "v$version" ] || fail "the tag $tag does not begin with v"
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "$version is not a semantic version"

package=$(node --print 'require("./package.json").version')
[ "$package" = "$version" ] || fail "the tag is $tag, and package.json has version $package"
for key in version appVersion; do
  value=$(chart_value "$key")
  [ "$value" = "$version" ] || fail "the tag is $tag, and helm/Chart.yaml has $key $value"
done
.github/scripts/release-notes.sh "$version" >/dev/null

# Names of images and charts are lower case; an owner on GitHub need not be.
owner=${repository%%/*}
prerelease=false
[[ $version != *-* ]] || prerelease=true
cat <<OUTPUT
version=$version
prerelease=$prerelease
image=ghcr.io/${owner,,}/dlr-mo-connector
charts=ghcr.io/${owner,,}/charts
OUTPUT
