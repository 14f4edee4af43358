#!/bin/sh
# Runs a command with its own Docker daemon, on machines where `dockerd` is installed but not running:
#
#   dev/chart/image/with-daemon.sh npm run test:image
#
# Needs root. The daemon ends with the command, and its data is deleted. DOCKER_DATA names a folder that is kept instead, so
# that base images need not be built again.
set -eu

work=$(mktemp -d)
dockerd --host "unix://$work/docker.sock" --pidfile "$work/pid" --exec-root "$work/exec" \
  --data-root "${DOCKER_DATA:-$work/data}" --bridge none --iptables=false >"$work/log" 2>&1 &
daemon=$!
end() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" || true
  umount "$work"/exec/netns/* 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DOCKER_HOST="unix://$work/docker.sock"
tries=0
until docker info >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 120 ] || ! kill -0 "$daemon" 2>/dev/null; then
    echo "dockerd did not start:" >&2
    tail -n 20 "$work/log" >&2
    exit 1
  fi
  sleep 0.5
done
"$@"
