# syntax=docker/dockerfile:1
#
# Two images from one build: `--target operator` and `--target service`. Each is a static binary and
# the certificate authorities on an empty base: no shell, no package manager, nothing to patch but us.
#
#   docker build --target service --tag faciliauto-service .
#   docker run --rm -p 8000:8000 faciliauto-service

# To build from a mirror: --build-arg BUILDER=registry.example.com/rust:1.95.0-slim-bookworm
ARG BUILDER=docker.io/library/rust:1.95.0-slim-bookworm

# Everything that ships is gathered in one folder, so that a build stage made elsewhere can take this
# one's place (`--build-context build=FOLDER`).
FROM ${BUILDER} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# An explicit target keeps the static flag away from build scripts and procedural macros. Packed relocations are half a
# megabyte less to load in each program.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    target="$(uname -m)-unknown-linux-gnu" \
 && RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
    cargo build --locked --release --target "${target}" -p faciliauto-operator -p faciliauto-service \
 && mkdir -p /out \
 && cp "target/${target}/release/faciliauto-operator" "target/${target}/release/faciliauto-service" /out/ \
 && cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch AS operator
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="faciliauto-operator" \
      org.opencontainers.image.description="Keeps a FacilIAuto production system alive on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/faciliauto/faciliauto" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/faciliauto-operator /faciliauto-operator
# Numeric, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["/faciliauto-operator", "healthcheck"]
ENTRYPOINT ["/faciliauto-operator"]
CMD ["run"]

FROM scratch AS service
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="faciliauto-service" \
      org.opencontainers.image.description="Recommends used cars from the live stock of many dealerships" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/faciliauto/faciliauto" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/faciliauto-service /faciliauto-service
USER 65532:65532
EXPOSE 8000 9090
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["/faciliauto-service", "healthcheck"]
ENTRYPOINT ["/faciliauto-service"]
