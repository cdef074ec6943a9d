"""Runs one program as a child process, and ends it when the launcher ends, even after `kill -9` of the launcher.

Run as `python -I -S child_guard.py SIGNALS GRACE ACCOUNT PROGRAM ARGUMENT…`. The launcher holds the write end of this
process's standard input. When it closes, because the launcher releases the program or has ended, the guard sends the
SIGNALS (comma-separated names) one after the other, waits GRACE seconds after each, and then kills the process group.
The guard writes the program's pid to standard output; the program's own output goes to the guard's standard error.
ACCOUNT is `uid:gid`, or empty to run as the same user. Uses the standard library only, to start in milliseconds.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys


def main(signals: str, grace: str, account: str, *command: str) -> int:
    wakeup = wakeup_socket()
    with spawn(command, account) as child:
        os.write(1, f"{child.pid}\n".encode())
        os.close(1)
        if not wait_for_exit(child, wakeup):
            terminate(child, signals.split(","), float(grace))
        return child.returncode if child.returncode >= 0 else 128 - child.returncode


def wakeup_socket() -> socket.socket:
    """Returns a socket that becomes readable when the child ends or this process receives a signal to stop."""
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def spawn(command: tuple[str, ...], account: str) -> subprocess.Popen[bytes]:
    if not account:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, stderr=2)
    uid, gid = map(int, account.split(":"))
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, stderr=2, user=uid, group=gid, extra_groups=[])


def wait_for_exit(child: subprocess.Popen[bytes], wakeup: socket.socket) -> bool:
    """Waits until the child ends. Returns ``False`` when it must be terminated: standard input closed, or a signal."""
    while child.poll() is None:
        ready, _, _ = select.select([0, wakeup.fileno()], [], [])
        if 0 in ready and not os.read(0, 64):
            return False
        if wakeup.fileno() in ready and set(wakeup.recv(64)) - {signal.SIGCHLD}:
            return False
    return True


def terminate(child: subprocess.Popen[bytes], signals: list[str], grace: float) -> None:
    for name in signals:
        child.send_signal(getattr(signal, name))
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        return
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
