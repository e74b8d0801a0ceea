"""A private Tickloop: `tickloop up` in a folder of its own, filled with prices, and copies of its processes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from .processes import Child, Failure, ProcessTree, fetch, free_ports, say

ROOT = Path(__file__).resolve().parents[2]

# The days that have prices. Long, so that ranges of 730 days are many different ones.
FIRST_DAY, LAST_DAY = "2020-01-01", "2025-12-31"
# The days that most ranges lie in: 365 × 30 ranges, few enough that a cache of the default size holds them all.
FIRST_ASKED_DAY, LAST_ASKED_DAY = "2025-01-01", "2025-12-31"


def build(product, package=ROOT):
    """Builds as .ci/run does; returns the program."""
    command = ["swift", "build", "--package-path", str(package), "-c", "release", "--static-swift-stdlib"]
    if not shutil.which("swift"):
        raise Failure("There is no swift on the PATH; or say --tickloop PROGRAM.")
    say(f"building {product}; the first time this takes some minutes")
    done = subprocess.run(command + ["--product", product], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failure(f"{product} does not build:\n{done.stdout[-4000:]}")
    folder = subprocess.run(command + ["--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(folder) / product


def configuration_of(program, role):
    """The file of a role in the checkout that a program was built in: another build may know other keys."""
    files = [folder / "etc" / f"{role}.toml" for folder in Path(program).parents] if program else []
    return next((file for file in files if file.exists()), None)


class System:
    """Gateway, internal API, workers, PostgreSQL and Redis of one program; stopped when `scope` is left."""

    def __init__(self, scope, folder, program, rows, workers):
        self.scope = scope
        self.folder = Path(folder)
        self.program = Path(program)
        self.folder.mkdir(parents=True)
        # The account that runs PostgreSQL must be able to come here.
        self.folder.chmod(0o755)

        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.data = self.folder / "data"
        words = ["--data", self.data, "--port", port, "--workers", workers, "--home", ROOT]
        up = self.start("up", [program, "up", *words])
        up.wait_until((self.data / "run/env").exists, "ready system", 180)
        self.environment = dict(os.environ, **self._addresses())
        self.database_url = self.environment["TICKLOOP_DATABASE_URL"]
        self.redis_url = self.environment["TICKLOOP_REDIS_URL"]
        self._fill(rows)

    def start(self, name, arguments, environment=None, scope=None):
        child = Child(name, arguments, self.folder / f"{name}.log", environment)
        return (scope or self.scope).enter_context(child)

    def _addresses(self):
        return dict(re.findall(r"^export (\w+)='(.*)'$", (self.data / "run/env").read_text(), re.MULTILINE))

    def _fill(self, rows):
        say(f"making {rows:,} prices")
        self.run([self.program, "seed", "--rows", rows, "--from", FIRST_DAY, "--to", LAST_DAY])
        # Now, so that PostgreSQL does not do it in the middle of a measurement.
        tables = "prices, daily_prices, daily_symbol_prices, monthly_prices"
        self.run(["psql", "-qX", self.database_url, "-c", f"vacuum analyze {tables}"])

    def run(self, arguments):
        done = subprocess.run(
            [str(word) for word in arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failure(f"{arguments[0]} {arguments[1]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    # Processes

    def pids(self, role):
        """Of the processes that `up` runs as a role: gateway, api, worker, postgres, redis."""
        files = [*self.data.glob(f"run/{role}.pid"), *self.data.glob(f"run/{role}-*.pid")]
        return [int(file.read_text()) for file in sorted(files)]

    def tree(self, role):
        return ProcessTree(*self.pids(role))

    def servers(self):
        """What all contestants share."""
        return {"redis": self.tree("redis"), "postgres": self.tree("postgres")}

    @property
    def api_address(self):
        """Where our gateway reaches the API, as Tickloop writes it."""
        return self._environment_of(self.pids("gateway")[0])["TICKLOOP_UPSTREAM_ADDRESS"]

    def _environment_of(self, pid):
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return dict(os.fsdecode(word).split("=", 1) for word in words if b"=" in word)

    def copy(self, role, name, port, program=None, also_listen=(), config=None, **settings):
        """Starts one more process like the first of a role, on a port of its own and with other settings.

        :param config: A file in the place of the first one's.
        :param settings: For example ``CACHE_AVERAGE_TTL_MS=1000``.
        """
        pid = self.pids(role)[0]
        arguments = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
        if config or (config := configuration_of(program, role)):
            arguments = [self.program, role, "--config", config]
        environment = self._environment_of(pid)
        environment["TICKLOOP_SERVER_LISTEN"] = ",".join([f"127.0.0.1:{port}", *also_listen])
        environment |= {f"TICKLOOP_{key}": str(value) for key, value in settings.items()}
        child = self.start(name, [program or self.program, *arguments[1:]], environment)
        child.wait_until_answering(f"http://127.0.0.1:{port}/ready")
        return child

    # Questions

    def average_url(self, first, last, base=None):
        return f"{base or self.url}/prices/average?start_date={first}&end_date={last}"

    def answer(self, first, last):
        status, body = fetch(self.average_url(first, last))
        if status != 200:
            raise Failure(f"our own answer is {status}: {body.decode(errors='replace')}")
        return body
