"""Holds a listening socket and runs a program with it, as systemd does for a service with a socket unit.

Prints the socket's port. Each line on standard input restarts the program: the old one is told to stop and has ended
before the next one starts. The program ends with this one.
"""

import os
import signal
import socket
import subprocess
import sys

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(4096)
os.dup2(listener.fileno(), 3)
print(listener.getsockname()[1], flush=True)


def start():
    # The variable must name the program's own process (sd_listen_fds(3)).
    script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
    return subprocess.Popen(["sh", "-c", script, "sh", *sys.argv[1:]], pass_fds=[3])


program = start()
for _ in sys.stdin:
    program.send_signal(signal.SIGTERM)
    program.wait()
    program = start()
    print("restarted", flush=True)
program.kill()
