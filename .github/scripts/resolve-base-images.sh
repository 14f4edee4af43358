#!/usr/bin/env bash
# Prints the base images that the Dockerfile names with the digests that their tags have now, as `key=value` lines for
# $GITHUB_OUTPUT. All architectures are built from these, and the image says from which.
#
#   .github/scripts/resolve-base-images.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

resolved=()
for name in NODE_IMAGE BASE_IMAGE; do
  image=$(sed -nE "s/^ARG $name=(.+)$/\1/p" Dockerfile)
  digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || {
    echo "resolve-base-images: no digest for $image: $digest" >&2
    exit 1
  }
  resolved+=("$name=$image@$digest")
done
printf '%s\n' "${resolved[@]}"
