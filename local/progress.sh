#!/usr/bin/env bash
# Sourced. with_progress NAME LOG COMMAND…: run it with its output in LOG, and print every few seconds that it goes on.
with_progress() {
  local name=$1 log=$2 began=$SECONDS ticker status=0
  shift 2
  (
    while sleep "${BOKIT_PROGRESS_SECONDS:-5}" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do # it ends with the script, also where an interrupt ended that
      at=$(grep -aoE '(Collecting|Downloading) [^ ;=<>~!]+|Installing collected packages' "$log" 2>/dev/null | tail -n 1)
      echo "  … $name: $((SECONDS - began)) s${at:+, ${at##*/}}"
    done
  ) &
  ticker=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return $status
}
