"""Units of systemd: `redline watch` as a service, `redline check` by a timer."""

from __future__ import annotations

from capacity.deploying.order import Files, Order, filled
from capacity.deploying.schedules import calendars

_HARDENED = """\
DynamicUser=yes
StateDirectory=redline
StateDirectoryMode=0700
WorkingDirectory=%S/redline
Environment=HOME=%S/redline
EnvironmentFile=/etc/redline/secrets.env
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateUsers=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
MemoryMax=1G
TasksMax=512
"""

_WATCH = """\
# redline watch: checks @NAME@ on schedule and tells people. Secrets: /etc/redline/secrets.env, owner root, mode 0600.
[Unit]
Description=redline watches @NAME@
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=/opt/redline/bin/redline watch @NAME@ --config /etc/redline/redline.toml \\
    --state /var/lib/redline/health --listen 127.0.0.1:9750
Restart=on-failure
RestartSec=10s
RestartPreventExitStatus=2
SuccessExitStatus=143
TimeoutStopSec=60s
"""

_CHECK = """\
# redline check: asks @NAME@ once. The unit fails when it is not well; the journal says why.
[Unit]
Description=redline checks @NAME@
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/opt/redline/bin/redline check @NAME@ --config /etc/redline/redline.toml
TimeoutStartSec=10min
"""

_TIMER = """\
# When redline-check.service starts.
[Unit]
Description=redline checks @NAME@ on schedule

[Timer]
@WHEN@
AccuracySec=1s

[Install]
WantedBy=timers.target
"""

_SECRETS = """\
# Variables that redline reads. Copy to /etc/redline/secrets.env, owner root, mode 0600, and fill in the values.
"""


def systemd_files(order: Order) -> Files:
    """A service that watches, a service and a timer that check, and the names of the variables they read."""
    if order.cron is None:
        when = f"OnBootSec=1min\nOnUnitActiveSec={order.every_s}s"
    else:
        when = "\n".join((*(f"OnCalendar={text}" for text in calendars(order.cron)), "Persistent=yes"))
    texts = {
        "redline-watch.service": _named(order, _WATCH) + _HARDENED + "\n[Install]\nWantedBy=multi-user.target\n",
        "redline-check.service": _named(order, _CHECK) + _HARDENED,
        "redline-check.timer": filled(_TIMER, name=order.name, when=when),
        "secrets.env.example": _SECRETS + "".join(f"{name}=\n" for name in order.variables),
    }
    return Files(texts)


def _named(order: Order, template: str) -> str:
    return filled(template, name=order.name)
