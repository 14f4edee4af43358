#!/bin/sh
# Builds the two base images of the Dockerfile where no image registry can be reached: Debian from its packages, and on top of
# it Node.js and npm from npm packages. Needs root, debootstrap, npm and a Docker daemon.
#
#   dev/chart/image/local-bases.sh
#   docker build --tag dlr-mo-connector \
#     --build-arg NODE_IMAGE=local/node:24 --build-arg BASE_IMAGE=local/debian:bookworm-slim .
#
# EXTRA_CA names a file of certificates that the build must trust, for example behind a TLS-intercepting proxy. It is
# NODE_EXTRA_CA_CERTS unless set, because npm in the image needs what npm outside needs.
set -eu

node=${NODE_VERSION:-24}
case $(uname -m) in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "Debian, by debootstrap ..." >&2
debootstrap --variant=minbase bookworm "$work/debian" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
# Like the official slim image, this one contains no package cache, no documents and no translations.
(
  cd "$work/debian"
  rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/doc/* usr/share/man/* usr/share/info/* \
    usr/share/locale/* usr/share/groff usr/share/lintian
)
tar --directory "$work/debian" --create . | docker import --message 'debootstrap minbase' - local/debian:bookworm-slim

echo "Node.js $node, by npm ..." >&2
mkdir "$work/node"
cd "$work/node"
npm pack --silent "node-linux-$arch@$node" npm@11
mkdir -p root/usr/local/bin root/usr/local/lib/node_modules/npm root/etc/ssl/certs
tar --extract --file node-linux-$arch-*.tgz --strip-components 2 --directory root/usr/local/bin package/bin/node
tar --extract --file npm-*.tgz --strip-components 1 --directory root/usr/local/lib/node_modules/npm
ln -s ../lib/node_modules/npm/bin/npm-cli.js root/usr/local/bin/npm
chmod 755 root/usr/local/bin/node root/usr/local/lib/node_modules/npm/bin/npm-cli.js
: >root/etc/ssl/certs/extra.pem
extra_ca=${EXTRA_CA:-${NODE_EXTRA_CA_CERTS:-}}
[ -z "$extra_ca" ] || cp "$extra_ca" root/etc/ssl/certs/extra.pem
cat >Dockerfile <<'EOF'
FROM local/debian:bookworm-slim
COPY root/ /
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/extra.pem
EOF
docker build --tag local/node:24 .
