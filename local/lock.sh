#!/usr/bin/env bash
# Resolve the locks again: with hashes, for Python 3.11 and later, without the address of a package index.
set -euo pipefail
${PYTHON:-python3} -m venv .bokit/lock
.bokit/lock/bin/pip --quiet --disable-pip-version-check install uv

compile() {
  .bokit/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}

# not in the layer: packages that its libraries require but do not import there, and those of the Lambda runtime
unused=(--no-emit-package click --no-emit-package charset-normalizer --no-emit-package botocore)
shared=(--no-emit-package jmespath --no-emit-package python-dateutil --no-emit-package six --no-emit-package urllib3)

for name in dev cloud sam lambda compare security docs mcp node; do compile "requirements/$name.in" -o "requirements/$name.txt"; done
compile -c requirements/dev.txt "${unused[@]}" layers/shared/requirements.in -o layers/shared/requirements.txt
compile -c requirements/dev.txt --no-emit-package typing-extensions functions/sync_sql/requirements.in -o functions/sync_sql/requirements.txt
compile -c requirements/dev.txt "${shared[@]}" layers/shared/requirements-boto3.in -o layers/shared/requirements-boto3.txt

# packages of web/, without the address of a registry
PATH=$PWD/.bokit/node/bin:$PATH npm install --prefix web --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund
