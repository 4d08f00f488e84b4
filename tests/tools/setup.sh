#!/usr/bin/env bash
# Makes the virtual environment from the pinned requirements: setup.sh [FOLDER], by default .venv.
#
# uv is taken from the PATH, or else installed by pip, pinned by hash, into a folder of its own under the cache. That
# needs neither python3-venv nor write access to the system's Python; without pip it asks apt for python3-pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=${1:-.venv}
cache=${QMO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quantized-model-operator}
private=$cache/uv

find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  echo "setup: no Python 3.11 or newer found; install one, or name it with PYTHON=/path/to/python" >&2
  return 1
}

install_uv() {
  if ! "$1" -m pip --version >/dev/null 2>&1; then
    echo "setup: $1 has no pip; installing python3-pip" >&2
    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
  fi
  rm -rf "$private"
  "$1" -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action ignore \
    --require-hashes --target "$private" --requirement operator/requirements-uv.txt
}

python=$(find_python)
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
  uv=$(command -v uv)
else
  uv=$private/bin/uv
  [ -x "$uv" ] || install_uv "$python"
fi

[ -x "$venv/bin/python" ] || "$uv" venv --quiet --no-python-downloads --python "$python" "$venv"
export VIRTUAL_ENV=$PWD/$venv
"$uv" pip sync --quiet --require-hashes operator/requirements-dev.txt
"$uv" pip install --quiet --no-deps --no-build-isolation --editable operator
echo "setup: $venv is ready ($("$venv/bin/python" --version))"
