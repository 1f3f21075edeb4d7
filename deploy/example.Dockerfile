# Millrace with programs of your own: an image on top of that of the Dockerfile at the top of this repository.
#
#   docker build -t millrace .
#   docker build -t thumbnails -f deploy/example.Dockerfile deploy
#   docker run --memory 1g -p 127.0.0.1:7070:7070 -v thumbnails:/var/lib/millrace thumbnails
#   millrace run thumbnail --file photo.jpg > thumbnail.png
FROM millrace

# The programs, as packages or by COPY. Jobs run as the user of the daemon, with a PATH of /usr/local/bin:/usr/bin:/bin
# and nothing else in their environment but what the configuration says.
USER root
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends graphicsmagick \
 && rm -rf /var/lib/apt/lists/*
USER millrace

# What they are called with. Said at build time rather than at the first start: what is wrong with it.
COPY example.config.toml /etc/millrace/config.toml
RUN millraced --check-config

# Longer than the longest job that shall finish when the container is stopped; --stop-timeout of docker run must be
# longer still.
ENV MILLRACE_DRAIN_TIMEOUT=7s
