# The gateway's image; one for the gateway and, when it comes, the zone host: both are the program `octroi`.
#
#   docker build -t octroi .
#   docker run --rm -v octroi:/data octroi init /data/octroi
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v octroi:/data -p 8443:8443 octroi
#
# What each stage does stands in docker/*.sh, which the tests run without a container engine.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN docker/build.sh /out

FROM debian:bookworm-slim
# Roots for the OIDC issuers and object stores that the configuration names.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY docker /setup/docker
COPY LICENSE /setup/LICENSE
COPY --from=build /out/octroi /setup/octroi
RUN /setup/docker/install.sh /setup/octroi / && rm -rf /setup \
    && groupadd --system --gid 64801 octroi \
    && useradd --system --uid 64801 --gid octroi --home-dir /data --no-create-home --shell /usr/sbin/nologin octroi \
    && chown octroi:octroi /data
# Not root, so `octroi serve`, `octroi keys` and `octroi zone-host` share this user and say so at start.
# To part them, run each in a container of its own and share its socket.
USER octroi
VOLUME /data
ENTRYPOINT ["/usr/local/bin/octroi"]
CMD ["serve", "--config", "/data/octroi/octroi.toml"]
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s CMD ["/usr/local/lib/octroi/health.sh"]
