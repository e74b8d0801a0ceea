"""Programs that the comparison starts, and what /proc knows about them."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something that a person has to look at; the text says what."""


def die_with_parent():
    """Runs in a child: Linux sends it SIGTERM when the comparison is gone, however it went."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Child:
    """A program of ours: ended when the `with` statement is left. What it says goes to a file."""

    def __init__(self, name, arguments, log, environment=None):
        self.name = name
        self.log = Path(log)
        with open(self.log, "ab") as output:
            # A session of its own: Ctrl-C reaches only us, and we end the children in order.
            self.process = subprocess.Popen(
                [str(word) for word in arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, patience=20):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_until(self, condition, what, patience=30):
        """Returns when `condition()` is true; a program that has ended by then has failed."""
        deadline = time.monotonic() + patience
        while not condition():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} has no {what} after {patience} s:\n{self.last_lines()}")
            time.sleep(0.02)

    def wait_until_answering(self, url, patience=30):
        self.wait_until(lambda: is_answering(url), f"answer to {url}", patience)

    def wait_until_listening(self, port, patience=30):
        self.wait_until(lambda: is_listening(port), f"open port {port}", patience)

    def last_lines(self, count=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def is_answering(url):
    try:
        return fetch(url)[0] == 200
    except OSError:
        return False


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def fetch(url, patience=10):
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=patience) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def free_ports(count):
    """Ports of 127.0.0.1 that nobody uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class ProcessTree:
    """A process and its descendants: a postmaster with its backends, a prefork server with its workers."""

    def __init__(self, *roots):
        self.roots = roots

    def pids(self):
        found, open_ones = [], list(self.roots)
        while open_ones:
            pid = open_ones.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    children = Path(f"/proc/{pid}/task/{task}/children").read_text()
                    open_ones += [int(child) for child in children.split()]
            except OSError:
                continue
        return found

    def cpu_seconds(self):
        """CPU time used so far, in user and kernel mode, also by descendants that have ended and were waited for."""
        ticks = 0
        for pid in self.pids():
            try:
                # The name, in parentheses, may hold anything; proc(5) counts utime as field 14.
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(field) for field in fields[11:15])
        return ticks / TICKS_PER_SECOND

    def memory(self):
        """Bytes in memory (VmRSS) and those of them that no file backs (RssAnon); shared pages count each time."""
        resident = anonymous = 0
        for pid in self.pids():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "RssAnon"))}
            resident += int(values.get("VmRSS", 0)) * 1024
            anonymous += int(values.get("RssAnon", 0)) * 1024
        return {"resident": resident, "anonymous": anonymous}


def say(text):
    """Progress, for the person who waits; the tables alone go to standard output."""
    print(text, file=sys.stderr, flush=True)
