#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, one after the other.
set -euo pipefail
duration=${1:-60s}
go=${GO:-go}
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -rh --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | awk '{print $2}' | sort -u | while read -r target; do
    echo "== $dir $target"
    "$go" test -run '^$' -fuzz "^$target\$" -fuzzminimizetime 20x -fuzztime "$duration" "$dir" </dev/null
  done
done
