#!/bin/sh
# Second stage of the image: lays out what the gateway runs from.
#   docker/install.sh OCTROI ROOT        ROOT is / in the image, any folder elsewhere
#
# Everything is owned by whoever runs this and writable by nobody else. The data folder is the one place that the
# gateway writes to; in the image it is a volume, so that the rest can be read-only.
set -eu
octroi=${1:?usage: docker/install.sh OCTROI ROOT}
root=${2:?usage: docker/install.sh OCTROI ROOT}
here=$(cd "$(dirname "$0")/.." && pwd)
install -D -m 0755 "$octroi" "$root/usr/local/bin/octroi"
install -D -m 0755 "$here/docker/health.sh" "$root/usr/local/lib/octroi/health.sh"
install -D -m 0644 "$here/LICENSE" "$root/usr/local/share/doc/octroi/LICENSE"
install -d -m 0750 "$root/data"
