#!/usr/bin/env bash
# Start what some tests need beside Python: a browser to open the report in, graphviz, and a two-node Slurm on loopback.
# They need root and Debian packages; without them those tests are skipped and say why.
set -uo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "not root on Debian: no service is started"; exit 1; }
status=0
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v dot >/dev/null || missing+=(graphviz)
if [ ${#missing[@]} -gt 0 ]; then
  log=$(mktemp)
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    { tail -3 "$log"; status=1; }
  rm "$log"
fi
slurm=../shared/slurm/slurm-up.sh
if [ -f "$slurm" ]; then
  ACCOUNTING=0 bash "$slurm" || status=1
else
  echo "no script beside this checkout starts a Slurm; its tests are skipped unless one runs"
  status=1
fi
exit $status
