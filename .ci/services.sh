#!/usr/bin/env bash
# Start what some tests need beside Python: a two-node Slurm on loopback, and a browser to open the report in.
# Both need root and Debian packages; without them those tests are skipped and say why.
set -uo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "not root on Debian: no Slurm and no browser are started"; exit 1; }
status=0
if ! command -v chromium >/dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/tmp/browser-install.log 2>&1 ||
    { tail -3 /tmp/browser-install.log; status=1; }
fi
slurm=../shared/slurm/slurm-up.sh
if [ -f "$slurm" ]; then
  ACCOUNTING=0 bash "$slurm" || status=1
else
  echo "no script beside this checkout starts a Slurm; its test is skipped unless one runs"
  status=1
fi
exit $status
