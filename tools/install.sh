#!/bin/sh
# Fills the virtual environment: tools/install.sh VENV LOCK
# The dependencies and the package itself (whose build runs npm and Vite) take about as long as
# each other, so they run side by side.
set -eu
venv=$1
lock=$2
pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"
}

pip install --no-deps --editable . &
package=$!
trap 'kill $package 2>/dev/null || true' EXIT INT TERM
# Compiling every module of every library takes longer than compiling those that get imported.
pip install --no-compile --requirement "$lock"
wait $package
trap - EXIT
