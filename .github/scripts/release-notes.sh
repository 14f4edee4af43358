#!/usr/bin/env bash
# Prints the section of CHANGELOG.md that describes a version, without its heading.
#
#   .github/scripts/release-notes.sh 0.1.0
set -euo pipefail
cd "$(dirname "$0")/../.."

version=${1:?usage: release-notes.sh VERSION}

# The section ends at the next version's heading, or at the link definitions at the end of the file.
notes=$(awk -v heading="## [$version]" '
  index($0, "## [") == 1 || /^\[[^]]+\]: / { inside = index($0, heading) == 1; next }
  inside { print }
' CHANGELOG.md)
[[ $notes =~ [^[:space:]] ]] || {
  echo "release-notes: CHANGELOG.md has no entries below \"## [$version]\"" >&2
  exit 1
}
# Without the blank lines around it.
printf '%s\n' "$notes" | sed -e '/./,$!d'
