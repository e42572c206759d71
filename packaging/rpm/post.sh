#!/bin/sh
systemd-sysusers agent-studio.conf
systemd-tmpfiles --create agent-studio.conf
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # A first installation enables the server, an upgrade restarts it.
    if [ "$1" = 1 ]; then systemctl enable --now agent-studio.service; else systemctl try-restart agent-studio.service; fi
fi
