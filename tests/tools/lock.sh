#!/usr/bin/env bash
# Resolves the pinned requirements anew: the newest versions that the declared ranges allow, with their hashes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../operator"

cache=${QMO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quantized-model-operator}
uv=$(command -v uv || echo "$cache/uv/bin/uv")
compile=("$uv" pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11
  --custom-compile-command "make requirements")

"${compile[@]}" pyproject.toml --output-file requirements.txt
"${compile[@]}" pyproject.toml requirements-dev.in --constraints requirements.txt --output-file requirements-dev.txt
echo uv | "${compile[@]}" - --output-file requirements-uv.txt
