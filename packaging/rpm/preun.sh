#!/bin/sh
# Not for an upgrade.
if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then
    systemctl disable --now agent-studio.service
fi
