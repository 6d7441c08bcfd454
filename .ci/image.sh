#!/usr/bin/env bash
# Builds the container image of deploy/Dockerfile without an engine or a daemon, looks at what came out, and runs it: as
# the image's user, on its root file system mounted read-only, with a real Kafka, PostgreSQL and Redis beside it. Leaves
# the image in .cache/image/tocsin.tar (docker load, podman load). Needs buildah, busybox, and root on Linux:
# .ci/setup.sh image.
#
# The stage that builds is the Dockerfile's; its base is not the official image of Go, which would have to be fetched,
# but the Go, the certificates and the module and build caches of this machine, on a busybox.
# IMAGE_GO=docker.io/library/golang:… takes another one.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "image: needs root, to mount the image's root file system and change into it" >&2; exit 1; }
unshare --mount true || { echo "image: this root may not mount anything (a container without CAP_SYS_ADMIN?)" >&2; exit 1; }
version=${VERSION:-$(git describe --tags --always --dirty)}
revision=$(git rev-parse HEAD)
dir=$PWD/.cache/image
mkdir -p "$dir"
# Nothing of the system's own storage is touched. vfs and chroot need neither overlayfs nor namespaces for users.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
storage() { buildah --root "$dir/storage" --runroot "$dir/run" "$@"; }

work=
clean() {
  [ -z "$work" ] || storage rm "$work" >/dev/null
  storage rmi --all --force >/dev/null 2>&1 || true
  rm -rf "$dir/storage" "$dir/run" "$dir/root"
}
trap clean EXIT
rm -rf "$dir/root"

base=${IMAGE_GO:-localhost/go}
volumes=()
if [ -z "${IMAGE_GO:-}" ]; then
  work=$(storage from scratch)
  storage copy -q "$work" "$(command -v busybox)" /bin/busybox >/dev/null
  storage run "$work" -- /bin/busybox sh -c '/bin/busybox --install -s /bin && mkdir -m 1777 /tmp'
  storage copy -q "$work" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
  storage config --env PATH=/usr/local/go/bin:/bin --env GOPATH=/go --env GOCACHE=/go/cache --env GOTOOLCHAIN=local "$work"
  storage commit -q "$work" "$base" >/dev/null
  storage rm "$work" >/dev/null
  work=
  volumes=(--volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOMODCACHE):/go/pkg/mod"
    --volume "$(go env GOCACHE):/go/cache")
  mkdir -p "$(go env GOMODCACHE)" "$(go env GOCACHE)"
  go mod download # from where this machine is set to fetch modules
fi

echo "image: building tocsin:$version"
storage build -q --pull-never --file deploy/Dockerfile "${volumes[@]}" --build-arg "GO_IMAGE=$base" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --timestamp "$(git log -1 --format=%ct)" \
  --tag "tocsin:$version" . >/dev/null
rm -f "$dir/tocsin.tar"
storage push -q "tocsin:$version" "docker-archive:$dir/tocsin.tar:tocsin:$version"

config() { storage inspect --type image --format "{{.OCIv1.Config.$1}}" "tocsin:$version"; }
work=$(storage from --pull-never "tocsin:$version")
cp -a "$(storage mount "$work")" "$dir/root"
echo "image: user $(config User), entry point $(config Entrypoint) $(config Cmd), folder $(config WorkingDir)," \
  "$(du -sh "$dir/root" | cut -f 1) unpacked, $(du -h "$dir/tocsin.tar" | cut -f 1) as an archive; it holds:"
(cd "$dir/root" && find . -mindepth 1 -printf '  %M %U:%G %s /%P\n' | sort -k 4)

# What the test mounts over the read-only root: the configuration, the secrets, the volume of the state.
mkdir -p "$dir/root/run/secrets"
TOCSIN_IMAGE_ROOT=$dir/root TOCSIN_IMAGE_USER=$(config User) TOCSIN_IMAGE_VERSION=$version \
  go test -count 1 -v -run '^TestImage$' ./processor/processortest/deployment | tee "$dir/test.log"
# A test that skipped has shown nothing.
grep -q '^--- PASS: TestImage ' "$dir/test.log" || { echo "image: the test did not run" >&2; exit 1; }
