#!/usr/bin/env bash
# setup_env.sh FOLDER LOCK STAMP: make a virtual environment from a lock with hashes; print output only on failure.
set -euo pipefail
folder=$1 lock=$2 stamp=$3
python=${PYTHON:-python3}

local/require_python.sh
. local/progress.sh

log=.bokit/log/setup-$(basename "$folder").log
mkdir -p "$(dirname "$log")" "$(dirname "$folder")"
echo "Setting up $folder from $lock"

install() {
  "$python" -m venv --clear "$folder"
  "$folder/bin/python" -m pip --disable-pip-version-check install --no-input --progress-bar off \
    --require-hashes --no-deps --only-binary=:all: -r "$lock"
}

if ! with_progress "$folder" "$log" install; then
  tail -n 20 "$log" >&2
  echo "bokit: setting up $folder failed, see $log (is the package index reachable, and python3-venv installed?)" >&2
  exit 2
fi
touch "$stamp"
