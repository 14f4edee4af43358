#!/usr/bin/env bash
# Joins the images of single architectures, given by digest, to one of several, tags it, and prints `digest=sha256:…` for
# $GITHUB_OUTPUT.
#
#   .github/scripts/merge-image.sh ghcr.io/owner/dlr-mo-connector 0.1.0 sha256:… sha256:…
set -euo pipefail

image=${1:?usage: merge-image.sh IMAGE VERSION DIGEST...}
version=${2:?usage: merge-image.sh IMAGE VERSION DIGEST...}
shift 2
[ "$#" -gt 0 ] || {
  echo 'merge-image: no digests were given' >&2
  exit 1
}

# A prerelease moves none of the tags that people follow.
tags=(--tag "$image:$version")
[[ $version == *-* ]] || tags+=(--tag "$image:${version%.*}" --tag "$image:latest")

docker buildx imagetools create "${tags[@]}" "${@/#/$image@}" >&2
echo "digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image:$version")"
