#!/usr/bin/env bash
# Writes the repository into package.json of this checkout, before it is packed. The source tree names none, because a fork
# would publish a wrong one, and npm refuses provenance whose repository is not the one that the workflow runs in.
#
#   .github/scripts/set-repository.sh https://github.com/owner/repository
set -euo pipefail
cd "$(dirname "$0")/../.."

url=${1:?usage: set-repository.sh URL}

npm pkg set \
  repository.type=git \
  "repository.url=git+$url.git" \
  "homepage=$url#readme" \
  "bugs.url=$url/issues"
