#!/bin/sh
# First stage of the image: builds the gateway and puts the program, alone, into a folder.
#   docker/build.sh OUT        with PROFILE=dev for a quick one
set -eu
out=${1:?usage: docker/build.sh OUT}
profile=${PROFILE:-release}
cd "$(dirname "$0")/.."
cargo build --workspace --exclude octroi-zone --locked --bin octroi --profile "$profile"
folder=$profile
if [ "$profile" = dev ]; then folder=debug; fi
mkdir -p "$out"
install -m 0755 "${CARGO_TARGET_DIR:-target}/$folder/octroi" "$out/octroi"
