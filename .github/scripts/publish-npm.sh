#!/usr/bin/env bash
# Publishes a tarball to npm, once: a version that is there already with the same content is left alone, so that a release
# that failed half-way can be run again.
#
#   .github/scripts/publish-npm.sh release/dlr-mo-connector-0.1.0.tgz [npm publish options, --dry-run for one]
set -euo pipefail

tarball=$(realpath "${1:?usage: publish-npm.sh TARBALL [OPTION...]}")
shift

manifest=$(tar --extract --to-stdout --file "$tarball" package/package.json)
name=$(node --print 'JSON.parse(fs.readFileSync(0)).name' <<<"$manifest")
version=$(node --print 'JSON.parse(fs.readFileSync(0)).version' <<<"$manifest")
integrity=sha512-$(openssl dgst -sha512 -binary "$tarball" | base64 --wrap=0)

published=$(npm view "$name@$version" dist.integrity 2>/dev/null) || published=
if [ "$published" = "$integrity" ]; then
  echo "$name@$version is published already, with the same content"
  exit 0
fi
if [ -n "$published" ]; then
  echo "publish-npm: $name@$version is published already, with other content ($published, here $integrity)" >&2
  exit 1
fi

# A prerelease must not become what `npm install` takes by default.
tag=latest
[[ $version != *-* ]] || tag=next
npm publish "$tarball" --access public --tag "$tag" "$@"
