# Millrace in a container: the two programs, a configuration, and the libraries they link to.
#
#   docker build -t millrace .
#   docker run -p 127.0.0.1:7070:7070 -p 127.0.0.1:7071:7071 millrace
#
# Inside it listens on every address without authentication, so publish the ports only where you trust the network.
# Settings are variables (-e MILLRACE_PROCS=4) or a file of your own (-v $PWD/config.toml:/etc/millrace/config.toml:ro);
# the health check follows both, but not flags. Budgets of memory follow the container's limit (--memory 512m).
# deploy/example.Dockerfile adds programs to run.
#
# `docker stop` kills after 10 seconds, so running jobs get MILLRACE_DRAIN_TIMEOUT=7s here. For longer ones raise both:
#   docker run -e MILLRACE_DRAIN_TIMEOUT=5m --stop-timeout 310 ... millrace
FROM debian:bookworm AS build
WORKDIR /src
COPY deploy/install-deps.sh deploy/
RUN deploy/install-deps.sh build
COPY CMakeLists.txt CMakePresets.json ./
COPY proto proto
COPY server server
COPY client client
# The daemon keeps its symbol table: the names in the dump of all fibers (docker kill -s QUIT).
RUN cmake --preset release -DBUILD_TESTING=OFF -DMILLRACE_INSTALL=OFF \
 && cmake --build --preset release --target millraced millrace millrace-admin \
 && mkdir /out \
 && strip --strip-debug -o /out/millraced build/bin/millraced \
 && strip -o /out/millrace build/bin/millrace \
 && strip -o /out/millrace-admin build/bin/millrace-admin
# The packages that own the libraries linked to, so that no list has to be kept in step by hand.
RUN objdump -p /out/millraced /out/millrace /out/millrace-admin | awk '/NEEDED/ { print "*/" $2 }' | sort -u \
  | xargs dpkg -S | cut -d: -f1 | sort -u > /out/packages \
 && cat /out/packages

FROM debian:bookworm
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="Runs background jobs in bounded worker pools, submitted over gRPC"
# docker build --build-arg VERSION=... --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/packages /tmp/
# tini: a child of an exec job that outlives its parent falls to process 1, which must be somebody who buries it.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends tini $(cat /tmp/packages) \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /tmp/packages \
 && useradd --system --uid 7070 --home-dir /var/lib/millrace --create-home millrace
COPY --from=build /out/millraced /out/millrace /out/millrace-admin /usr/local/bin/
COPY deploy/config.example.toml /etc/millrace/config.toml
ENV MILLRACE_CONFIG=/etc/millrace/config.toml \
    MILLRACE_DATA_DIR=/var/lib/millrace \
    MILLRACE_GRPC_ADDRESS=0.0.0.0:7070 \
    MILLRACE_HTTP_ADDRESS=0.0.0.0:7071 \
    MILLRACE_INSECURE=true \
    MILLRACE_DRAIN_TIMEOUT=7s
USER millrace
WORKDIR /var/lib/millrace
VOLUME /var/lib/millrace
EXPOSE 7070 7071
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["millraced", "--check-health"]
ENTRYPOINT ["tini", "--", "millraced"]
