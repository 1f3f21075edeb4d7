#!/usr/bin/env bash
# The image, built and run: it starts without arguments, is healthy, is nobody's root, does a job that the host submits,
# shows metrics, and drains when it is stopped. Compiles everything once more, so it is run by hand and not by
# tests/run.sh.
#
#   tests/e2e/docker_test.sh       with the Docker that DOCKER_HOST or the default socket leads to; where there is
#                                  none and we are root, with a dockerd of its own that leaves nothing behind
#
# Where debian:bookworm can neither be found nor pulled, it is made by debootstrap. (apt-get install docker.io
# debootstrap)
source "$(dirname "$0")/harness.sh"

patience=300
image=millrace:docker-test
dockerd=''
containers=()

clean_up_more() {
  if (($1 != 0)); then
    for container in "${containers[@]}"; do docker logs "$container" >>"$log" 2>&1 || true; done
  fi
  ((${#containers[@]} == 0)) || docker rm -f "${containers[@]}" >/dev/null 2>&1 || true
  if [[ -n $dockerd ]]; then
    kill -TERM "$dockerd" 2>/dev/null || true
    wait "$dockerd" 2>/dev/null || true
    # It leaves the mount of its network namespace behind, and layers when it was interrupted.
    awk -v under="$scratch/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount || true
  fi
}

command -v docker >/dev/null || skip "docker is not installed (docker.io)"
if ! docker info >/dev/null 2>&1; then
  ((EUID == 0)) || skip "no Docker answers, and starting one needs root"
  command -v dockerd >/dev/null || skip "no Docker answers, and dockerd is not installed (docker.io)"
  export DOCKER_HOST=unix://$scratch/docker.sock
  # No bridge and no firewall rules: every container here uses the host's network or none.
  dockerd --host "$DOCKER_HOST" --data-root "$scratch/docker/data" --exec-root "$scratch/docker/exec" \
    --pidfile "$scratch/docker.pid" \
    --bridge none --iptables=false >"$scratch/dockerd.log" 2>&1 &
  dockerd=$!
  docker_answers_or_died() { docker info || ! kill -0 "$dockerd"; }
  await "dockerd to answer" docker_answers_or_died
  kill -0 "$dockerd" 2>/dev/null || {
    tail -n 3 "$scratch/dockerd.log"
    dockerd=''
    skip "dockerd does not run on this machine"
  }
fi

if ! docker image inspect debian:bookworm >/dev/null 2>&1 && ! docker pull -q debian:bookworm >/dev/null 2>&1; then
  if ((EUID != 0)) || ! command -v debootstrap >/dev/null; then
    skip "debian:bookworm cannot be pulled, and making it needs root and debootstrap"
  fi
  echo "---- making debian:bookworm by debootstrap"
  debootstrap --variant=minbase bookworm "$scratch/docker/base" >"$out" 2>&1 ||
    { tail -n 5 "$out"; give_up "debootstrap failed"; }
  rm -rf "$scratch"/docker/base/var/cache/apt/archives/*.deb "$scratch"/docker/base/var/lib/apt/lists/*
  tar -C "$scratch/docker/base" -c . | docker import - debian:bookworm >/dev/null
  rm -rf "$scratch/docker/base"
fi

echo "---- building"
check "the image builds" docker build --network host -t "$image" "$repo"
((failures == 0)) || finish
size_mb=$(($(docker image inspect -f '{{.Size}}' "$image") / 1000000))
base_mb=$(($(docker image inspect -f '{{.Size}}' debian:bookworm) / 1000000))
echo "        $size_mb MB, of which $base_mb MB are debian:bookworm"
check "it is small" test $((size_mb - base_mb)) -lt 100
check "no compiler is in it" docker run --rm --network none --entrypoint sh "$image" \
  -c '! command -v g++ && ! command -v cmake'

echo "---- without arguments"
start_container() {
  container=$(docker run -d "$@" "$image")
  containers+=("$container")
}
start_container --network none
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$container") == healthy ]]; }
await "the container to be healthy" healthy
check "it became healthy" healthy
check "its jobs are on a volume" test \
  "$(docker inspect -f '{{range .Mounts}}{{.Destination}} {{end}}' "$container")" = '/var/lib/millrace '
check "it says what it is" docker inspect -f '{{index .Config.Labels "org.opencontainers.image.title"}}' "$image"
check "it does not run as root" docker exec "$container" sh -c 'test -O /proc/1 && ! test -O /'
check "it has programs of its own to run" docker exec "$container" sh -c \
  'echo hello | millrace submit gzip --file - --wait --json | grep -q SUCCEEDED'

echo "---- another address"
start_container --network none -e MILLRACE_GRPC_ADDRESS=127.0.0.1:17070 -e MILLRACE_HTTP_ADDRESS=127.0.0.1:17071
await "the container to be healthy" healthy
check "it became healthy all the same" healthy

echo "---- little memory"
start_container --network none --memory 128m --memory-swap 128m
await "the container to be healthy" healthy
check "its budget follows the limit" docker exec "$container" sh -c \
  'millraced --print-config | grep process_bytes_max.*32MiB'
# More than the container has: what does not fit waits on the disk, or is refused.
check "many large jobs" docker exec "$container" sh -c '
  millrace pools pause default && head -c 1000000 /dev/urandom >/tmp/large
  millrace submit echo --file /tmp/large --count 300 --on-full reject >/dev/null; millrace pools list'
check "are worked off" docker exec "$container" sh -c \
  'millrace pools resume default && millrace --timeout 60s pools drain default'
check "it was not killed" test "$(docker inspect -f '{{.State.OOMKilled}} {{.State.Running}}' "$container")" \
  = "false true"

echo "---- with programs of one's own"
docker tag "$image" millrace:latest
if docker build --network host -t "$image-example" -f "$repo/deploy/example.Dockerfile" "$repo/deploy" \
  >"$out" 2>&1; then
  check "the example's configuration is good" docker run --rm --network none --entrypoint millraced "$image-example" \
    --check-config
else
  tail -n 5 "$out"
  echo "        deploy/example.Dockerfile was not built: its packages cannot be had here"
fi

echo "---- plain docker stop"
start_container --network none
await "the container to be healthy" healthy
check "a job of 20 s" docker exec "$container" millrace submit sleep --payload 20s
check "docker stop" docker stop "$container"
check "it ended by itself, with 0, and was not killed" test \
  "$(docker inspect -f '{{.State.ExitCode}}' "$container")" = 0
docker logs "$container" >"$log" 2>&1
check "the job was handed back, and no attempt lost" has "$log" '\b1 handed back'

echo "---- from the host"
start_container --network host -e MILLRACE_GRPC_ADDRESS=127.0.0.1:0 -e MILLRACE_HTTP_ADDRESS=127.0.0.1:0
container_is_ready() {
  docker logs "$container" >"$log" 2>&1
  MILLRACE_ADDRESS=$(address_of gRPC) http=$(address_of HTTP)
  export MILLRACE_ADDRESS
  [[ -n $http ]] && curl -fsS "http://$http/readyz"
}
await "the daemon in it to be ready" container_is_ready
check "a job is done" millrace submit sha256 --payload hello --wait
check "its result is right" has "$out" "$(printf hello | sha256sum | cut -d' ' -f1)"
check "an exec job is done" millrace submit gzip --payload hello --wait
check "metrics" test "$(metric 'millrace_jobs_finished_total{pool="default",kind="sha256",outcome="succeeded"}')" = 1

echo "---- stopping"
id=$(millrace submit sleep --payload 2s)
is_running() { millrace --json jobs get "$id" | jq -e '.state == "RUNNING"'; }
await "a job to run" is_running
check "docker stop" docker stop -t 60 "$container"
check "it ended by itself, with 0" test "$(docker inspect -f '{{.State.ExitCode}}' "$container")" = 0
docker logs "$container" >"$log" 2>&1
check "the job was finished first" has "$log" '\b1 finished'
finish
