"""Run a server's command several times: processes with a listening socket each, on one port.

Where processes share one socket, the first of them takes nearly all connections that come at once.
The kernel deals connections out to sockets that share a port (`SO_REUSEPORT`).
"""

import signal
import socket
import subprocess
import sys


def main() -> None:
    """Run the command `sys.argv[3:]` N times; `{fd}` in it becomes the socket's number."""
    processes, port = int(sys.argv[1]), int(sys.argv[2])
    running = []
    for _ in range(processes):
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind(("127.0.0.1", port))
            listening.listen(128)
            fd = listening.fileno()
            command = [part.replace("{fd}", str(fd)) for part in sys.argv[3:]]
            running.append(subprocess.Popen(command, pass_fds=[fd]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for process in running:
        process.wait()


if __name__ == "__main__":
    main()
