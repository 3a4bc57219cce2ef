#!/bin/sh
# Sees to a Mosquitto for the MQTT tests, from the distribution's packages where that may be.
# Without one they are skipped, and with CI=true they fail: tests/conftest.py decides.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"

have() {
    command -v mosquitto >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

have && exit 0
if command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    echo "Installing Mosquitto for the MQTT tests"
    as_root apt-get update -qq || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends mosquitto >/dev/null || true
fi
have && exit 0
cat >&2 <<'MSG'
******************************************************************************
*  No Mosquitto found, and none could be installed: MQTT TESTS ARE SKIPPED   *
*  Install one (Debian: apt install mosquitto).                              *
******************************************************************************
MSG
exit 0
