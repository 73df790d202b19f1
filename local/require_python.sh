#!/usr/bin/env bash
# Fail with one line unless PYTHON is an interpreter that Bokit runs on.
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "bokit: $python is not Python 3.11 or newer; choose another one: make PYTHON=python3.12 …" >&2
  exit 2
}
