# syntax=docker/dockerfile:1
# The server in a small image: one binary, one app, no shell tools beyond the base, no root.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --locked --profile dist --bin portcullis

FROM debian:bookworm-slim
# Roots of trust, for mail servers and databases that are reached by TLS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portcullis \
    && install -d -o portcullis -g portcullis -m 0700 /data /secret
COPY --from=build /build/target/dist/portcullis /usr/local/bin/portcullis
COPY apps/people /app
# The server refuses an app that others may change.
RUN chmod -R go-w /app
# MALLOC_*: the C library gives memory back after a peak.
ENV PORTCULLIS_APP=/app \
    PORTCULLIS_DATA=/data \
    PORTCULLIS_LISTEN=0.0.0.0:8080 \
    PORTCULLIS_LOG_FORMAT=json \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=65536
USER 10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
EXPOSE 8080
ENTRYPOINT ["portcullis"]
CMD ["serve"]
