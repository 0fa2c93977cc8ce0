#!/bin/sh
# Unpacks the programs that tests run beside the server into the folder $1, where the system does
# not have them: packages of Debian, which are not installed, because a proxy that is installed
# begins as a service. Needs root only where the lists of packages are missing.
set -eu

folder=$1
root=$folder/root
archives=$folder/archives
PATH=$PATH:/usr/sbin

has() {
    command -v "$1" >/dev/null
}

missing=
for pair in nginx:nginx haproxy:haproxy apache2-bin:apache2 curl:curl; do
    has "${pair#*:}" || missing="$missing ${pair%:*}"
done
without=$missing
has promtool || without="$without prometheus"
[ -n "$without" ] || exit 0
if ! has apt-get || ! has dpkg-deb; then
    echo "missing, and without apt-get not to be had here:$without"
    exit 1
fi

echo "unpacking$without, which tests run beside the server, into $folder;"
echo "this happens once per machine"
rm -rf "$root"
mkdir -p "$root" "$archives/partial"
archives=$(cd "$archives" && pwd)

apt() {
    apt-get --quiet=2 -o Debug::NoLocking=1 -o Dir::Cache::archives="$archives" \
        -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}

download() {
    # With what they depend on and the system lacks.
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt install --download-only --yes --no-install-recommends $missing || return
    has promtool || (cd "$archives" && apt download prometheus)
}

download || {
    [ "$(id -u)" = 0 ] && apt-get --quiet=2 update && download
}
for package in "$archives"/*.deb; do
    case $package in
    # Of its 70 MiB this is all that is needed.
    */prometheus_*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" ./usr/bin/promtool ;;
    *) dpkg-deb -x "$package" "$root" ;;
    esac
done
rm -rf "$archives"
