#!/usr/bin/env bash
# Installs a packed tarball into an empty folder, as its users do, and runs what needs neither Kafka nor a registry.
#
#   .github/scripts/smoke-test-package.sh release/dlr-mo-connector-0.1.0.tgz
set -euo pipefail

tarball=$(realpath "${1:?usage: smoke-test-package.sh TARBALL}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "smoke-test-package: $*" >&2
  exit 1
}

npm init --yes >/dev/null
npm install --no-audit --no-fund --loglevel=error "$tarball"

expected=$(tar --extract --to-stdout --file "$tarball" package/package.json | node --print 'JSON.parse(fs.readFileSync(0)).version')
version=$(npx --no-install dlr-mo-connector --version)
[ "$version" = "$expected" ] || fail "--version printed $version, expected $expected"

npx --no-install dlr-mo-connector --help | grep --quiet '^Exit codes:' || fail '--help printed no exit codes'

code=0
npx --no-install dlr-mo-connector check --config missing.yaml 2>error || code=$?
[ "$code" = 2 ] || fail "check of a missing file ended with $code, expected 2"
grep --quiet 'missing\.yaml' error || fail "check of a missing file did not name it: $(cat error)"

# The example is complete: only the broker and the registry that it names are away (3), nothing in it is wrong (2).
code=0
MTARGET_USERNAME=user MTARGET_PASSWORD=password SEVEN_CALLBACK_TOKEN=token KAFKA_BROKERS=127.0.0.1:9 \
  npx --no-install dlr-mo-connector check --config node_modules/dlr-mo-connector/config/connector.yaml >output 2>&1 || code=$?
[ "$code" = 3 ] || fail "check of the example ended with $code, expected 3: $(cat output)"

echo "dlr-mo-connector $version installs and runs from $(basename "$tarball")"
