#!/usr/bin/env bash
# Builds a package of the program that `make dist` has built, in target/packages.
#
#   scripts/package.sh deb|rpm|image
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

program="${CARGO_TARGET_DIR:-target}/dist/agent-studio"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
files=target/packaging
packages=target/packages

# Files that the program makes of its own description, and the package's changelog.
make_files() {
  rm -rf "$files"
  mkdir -p "$files" "$packages"
  "$program" package-files "$files"
  gzip -9n "$files"/man/*.1
  local date
  date="$(date -R -r CHANGELOG.md)"
  printf 'agent-studio (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md of the source.\n\n -- %s  %s\n' \
    "$version" "$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)" "$date" >"$files/changelog.Debian"
}

deb() {
  scripts/setup.sh package
  make_files
  rm -f "$packages"/*.deb
  cargo deb --no-build --no-strip --profile dist --output "$packages/"
  if command -v lintian >/dev/null; then lintian --fail-on error --allow-root "$packages"/*.deb; fi
}

rpm() {
  scripts/setup.sh package
  make_files
  rm -f "$packages"/*.rpm
  cargo generate-rpm --profile dist --target-dir "${CARGO_TARGET_DIR:-target}" --output "$packages/"
}

# The image has the program, the C libraries that it needs, and certificates of authorities; no shell and no packages.
image() {
  local root="$files/image/root" builder
  make_files
  mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$files/image/data"
  cp "$program" "$root/usr/bin/"
  ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
    cp --dereference --parents "$library" "$root"
  done
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  echo 'agent-studio:x:10001:10001::/var/lib/agent-studio:/sbin/nologin' >"$root/etc/passwd"
  echo 'agent-studio:x:10001:' >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  local options
  read -ra options <<<"${BUILD_OPTIONS:-}"
  for builder in buildah podman docker; do
    if command -v "$builder" >/dev/null; then
      # The OCI format has no health check.
      [ "$builder" = docker ] || options+=(--format docker)
      "$builder" build "${options[@]}" -f packaging/Containerfile -t "agent-studio:$version" "$files/image"
      return
    fi
  done
  echo "package: buildah, podman or docker is needed" >&2
  exit 1
}

case "${1:-}" in
  deb | rpm | image) "$1" ;;
  *) echo "usage: scripts/package.sh deb|rpm|image" >&2; exit 1 ;;
esac
