#!/bin/sh
# Makes the virtual environment DIR with pip in it: tools/venv.sh DIR
# Takes $PYTHON, or the newest supported Python on PATH.
set -eu
dir=$1

suits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys, venv; raise SystemExit(not (3, 11) <= sys.version_info < (4,))' 2>/dev/null
}

find_python() {
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3 python; do
        if suits "$name"; then
            command -v "$name"
            return
        fi
    done
    echo "No Python 3.11 or newer with venv found. On Debian or Ubuntu: apt install python3-venv" >&2
    echo "Or say which one: make PYTHON=/path/to/python3.12" >&2
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian and Ubuntu leave pip's own bootstrap (ensurepip) to a package of its own.
install_venv_package() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Installing the package python$version-venv" >&2
    as_root apt-get update -qq >&2 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "python$version-venv" >&2
}

if suits "$dir/bin/python" && "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
python=$(find_python)
rm -rf "$dir"
if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$dir"
elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$dir"
    "$python" -m pip --python "$dir/bin/python" install --quiet pip
elif install_venv_package; then
    "$python" -m venv "$dir"
else
    echo "$python has no pip and can't make one (ensurepip is missing)." >&2
    echo "Install the package that holds it, then try again: apt install python3-venv" >&2
    exit 1
fi
