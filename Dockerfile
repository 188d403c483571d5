# Foresail's image: one static binary, run by a user without rights.
#   docker build --tag foresail:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/foresail:0.1.0 --push .
# Cache mounts need BuildKit, which docker and podman build with by default.

# Alpine's Rust compiles for musl and links statically as it is, for the platform that it runs on. It brings the C compiler that
# ring, the crypto provider, and psm need for their assembly. The version is the one in Cargo.toml's rust-version.
FROM rust:1.95-alpine AS build
WORKDIR /src
# What may get in is listed in .dockerignore.
COPY . .
# The caches outlive a build, so a change in src/ does not compile the dependencies again. One folder for each architecture, and
# one build at a time, so that builds for two platforms do not meet in it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/cache,sharing=locked \
    cargo build --release --locked --bin foresail --target-dir "/cache/$(uname -m)" \
    && cp "/cache/$(uname -m)/release/foresail" /foresail
# In an image without a C library a binary that wants one would only fail when it starts; fail here instead.
RUN dynamic=$(readelf --dynamic --wide /foresail) \
    && if echo "$dynamic" | grep NEEDED; then echo "/foresail is not static" >&2; exit 1; fi

# scratch and not distroless/static: of what that adds Foresail needs the CA certificates only, and so there is nothing else in the
# image to patch or to scan, and no second registry to depend on.
FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Foresail" \
      org.opencontainers.image.description="A Kubernetes metrics adapter that gives the Horizontal Pod Autoscaler numbers worth scaling on" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# For sources that are reached by https with a publicly trusted certificate.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /foresail /foresail
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
# The metrics APIs, and Foresail's own metrics with the health checks.
EXPOSE 6443 8080
ENTRYPOINT ["/foresail"]
