#!/bin/sh
# Sees to a Chromium for the browser tests, from the distribution's packages where that may be.
# Without one they are skipped, and with CI=true they fail: tests/conftest.py decides.
set -u

have() {
    for name in "${RYNEK_TEST_BROWSER:-}" chromium chromium-browser google-chrome; do
        [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

have && exit 0
if command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    echo "Installing Chromium for the browser tests"
    as_root apt-get update -qq || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends chromium fonts-dejavu-core >/dev/null || true
fi
have && exit 0
cat >&2 <<'MSG'
******************************************************************************
*  No Chromium found, and none could be installed: BROWSER TESTS ARE SKIPPED *
*  Install one (Debian: apt install chromium) or set RYNEK_TEST_BROWSER.     *
******************************************************************************
MSG
exit 0
