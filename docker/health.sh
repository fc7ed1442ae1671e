#!/bin/bash
# Whether the gateway on this machine is well: asks /health at the loopback address of its configuration.
#   docker/health.sh [OCTROI.TOML]
# bash speaks TCP by itself, so the image needs no curl.
set -euo pipefail
settings=${1:-/data/octroi/octroi.toml}
address=$(awk -F '"' '/^\[/ { here = ($0 == "[listen.loopback]") } here && /^address *=/ { print $2; exit }' "$settings")
if [ -z "$address" ]; then
    echo "no address under [listen.loopback] in $settings" >&2
    exit 1
fi
host=${address%:*}
host=${host#[}
exec 3<>"/dev/tcp/${host%]}/${address##*:}"
printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 2 _ status _ <&3
[ "$status" = 200 ]
