"""`tickloop up` in a folder of its own, and what a proof has to know of it."""

import http.client
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from comparison.processes import Child, Failure, fetch, free_ports
from comparison.system import ROOT


class Target:
    """`tickloop up`, and what the proof has to know of it."""

    def __init__(self, scope, folder, program, workers=2):
        self.program = program
        self.folder = folder
        (port,) = free_ports(1)
        self.gateway = ("127.0.0.1", port)
        self.data = folder / "data"
        words = ["up", "--data", self.data, "--port", port, "--workers", workers, "--home", ROOT]
        up = scope.enter_context(Child("up", [program, *words], folder / "up.log"))
        up.wait_until((self.data / "run/env").exists, "ready system", 180)
        text = (self.data / "run/env").read_text()
        self.environment = dict(os.environ, **dict(re.findall(r"^export (\w+)='(.*)'$", text, re.MULTILINE)))
        self.exchange = self.environment["TICKLOOP_SIMULATOR_URL"]
        api = urlsplit(self.environment["TICKLOOP_API_URL"])
        self.api = (api.hostname, api.port)

    def _address(self, name):
        """Where the process of a pid file listens, `worker-2` for example."""
        role, _, number = name.rpartition("-")
        groups = json.loads((self.data / "run/targets.json").read_text())
        return next(group["targets"][int(number) - 1] for group in groups if group["labels"]["job"] == role)

    def answers(self, name):
        """Whether the event loop of a process turns."""
        try:
            return fetch(f"http://{self._address(name)}/health", 2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def behave(self, behaviour, reports):
        """Tells the exchange what to do; whether it has heard."""
        return self._put("behaviour", behaviour) and self._put("reports/behaviour", reports)

    def _put(self, path, behaviour):
        request = urllib.request.Request(
            f"{self.exchange}/exchange/{path}", json.dumps(behaviour).encode(),
            {"Content-Type": "application/json"}, method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            raise Failure(f"the exchange does not take its behaviour: {error.code} {error.read().decode()}") from error
        except OSError:
            return False

    def is_ready(self):
        try:
            return fetch("http://{}:{}/ready".format(*self.gateway), 2)[0] == 200
        except OSError:
            return False

    def tool(self, *words):
        return self._run(self.program, "orders", *map(str, words))

    def queue(self, *words):
        return self._run(self.program, "queue", *words)

    def seed(self, *words):
        done = self._run(self.program, "seed", *words)
        if done.returncode != 0:
            raise Failure(done.stderr)

    def sql(self, statement):
        done = self._run("psql", "-qAtX", self.environment["TICKLOOP_DATABASE_URL"], "-c", statement)
        if done.returncode != 0:
            raise Failure(done.stderr)
        return done.stdout

    def _run(self, *words):
        return subprocess.run(words, env=self.environment, cwd=ROOT, capture_output=True, text=True)

    def waiting(self):
        """How many seconds the order has waited that has waited longest; None if none does."""
        done = self.tool("stuck", "--json", "--limit", 1)
        if done.returncode != 0:
            return float("inf")
        return json.loads(done.stdout.splitlines()[0])["waits_ms"] / 1000 if done.stdout.strip() else None

    def behind(self):
        """How many orders the exchange knows more of; None if that could not be found out."""
        done = self.tool("check", "--json", "--ledger", self.exchange)
        if done.returncode == 2 or not done.stdout.strip():
            return None
        findings = json.loads(done.stdout)
        return findings["unsettled"] + findings["unreported"]
