#!/usr/bin/env bash
# Resolve the locks anew: hashed, for every Python from 3.11 on, without the address of any index.
set -euo pipefail
${PYTHON:-python3} -m venv .bokit/lock
.bokit/lock/bin/pip --quiet --disable-pip-version-check install uv

compile() {
  .bokit/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}

# left out of the layer: what its libraries name but never import there, and what Lambda's runtime brings
unused=(--no-emit-package click --no-emit-package botocore)
shared=(--no-emit-package jmespath --no-emit-package python-dateutil --no-emit-package six --no-emit-package urllib3)

for name in dev cloud sam lambda; do compile "requirements/$name.in" -o "requirements/$name.txt"; done
compile -c requirements/dev.txt "${unused[@]}" layers/shared/requirements.in -o layers/shared/requirements.txt
compile -c requirements/dev.txt --no-emit-package typing-extensions functions/sync_sql/requirements.in -o functions/sync_sql/requirements.txt
compile -c requirements/dev.txt "${shared[@]}" layers/shared/requirements-boto3.in -o layers/shared/requirements-boto3.txt
