#!/usr/bin/env bash
# Runs a temporary PostgreSQL cluster for tests and benchmarks, and prints its URL. When the standard input closes, also
# because
# the caller was killed, the cluster is stopped and removed. The lines `stop` and `start` on the standard input stop and
# start
# the cluster; the script repeats each line when that is done.
set -euo pipefail

initdb="$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)"
bin="$(dirname "$(readlink -f "$initdb")")"
dir="$(mktemp -d)"
as=()
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
  chown postgres "$dir"
  as=(runuser -u postgres --)
fi
cd "$dir"
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap cleanup EXIT
# Only the end of the input ends the cluster, and not Ctrl-C in a terminal, which goes to all processes.
trap '' INT

"${as[@]}" "$bin/initdb" -D "$dir/data" -U postgres --auth=trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
  { cat "$dir/initdb.log" >&2; exit 1; }
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  options="-p $port -k $dir -c listen_addresses=127.0.0.1 -c max_connections=500 ${POSTGRES_OPTIONS:-}"
  if "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" -o "$options" start >/dev/null 2>&1; then
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    while read -r command; do
      case "$command" in
        stop) "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null 2>&1 ;;
        start) "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" -o "$options" start >/dev/null 2>&1 ;;
      esac
      echo "$command"
    done
    exit 0
  fi
done
cat "$dir/log" >&2
exit 1
