"""What is done to which process, and when: decided by the seed alone."""

import asyncio
import os
import random
import signal
from collections import namedtuple

from comparison.processes import ProcessTree, say

# At `at` seconds of the run, `action` is done to the process of the pid file `name`; a stop ends after `seconds`.
Fault = namedtuple("Fault", "at action name seconds")

# How often each is chosen, against the others.
TARGETS = {"worker-1": 4, "worker-2": 4, "api-1": 4, "gateway-1": 3, "simulator-1": 3, "redis": 2, "postgres": 2}
ACTIONS = {"kill": 4, "stop": 3, "restart": 2}
# From one fault to the next, and how long a process stands still: also longer than the leases of workers.
PAUSE = (1.0, 5.0)
STOP = (0.5, 8.0)


def plan(seed, seconds):
    """The faults of a run, none of them in its last tenth."""
    chance = random.Random(f"faults {seed}")
    faults, at = [], chance.uniform(*PAUSE)
    while at < seconds * 0.9:
        name = chance.choices(list(TARGETS), TARGETS.values())[0]
        action = chance.choices(list(ACTIONS), ACTIONS.values())[0]
        pause, stop = chance.uniform(*PAUSE), chance.uniform(*STOP)
        faults.append(Fault(at, action, name, min(stop, seconds - at) if action == "stop" else 0))
        at += pause
    return faults


class Attacker:
    """Carries a plan out on the processes of `tickloop up`."""

    def __init__(self, run_folder):
        self.folder = run_folder
        self.stopped = {}
        self.done = []

    def _pid(self, name):
        try:
            return int((self.folder / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return None

    def _tree(self, name, pid):
        # Of PostgreSQL all processes stand still together, as when the machine does.
        return ProcessTree(pid).pids() if name == "postgres" else [pid]

    async def carry_out(self, faults):
        start = asyncio.get_running_loop().time()
        for fault in faults:
            await asyncio.sleep(max(0, start + fault.at - asyncio.get_running_loop().time()))
            self._do(fault)

    def _do(self, fault):
        pid = self._pid(fault.name)
        if pid is None or pid in self.stopped:
            return
        length = f" for {fault.seconds:.1f} s" if fault.seconds else ""
        say(f"{fault.at:6.1f} s  {fault.action} {fault.name}{length}")
        self.done.append(fault)
        if fault.action == "stop":
            pids = self._tree(fault.name, pid)
            self.stopped[pid] = pids
            signal_all(pids, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(fault.seconds, self._go_on, pid)
        else:
            signal_all([pid], signal.SIGKILL if fault.action == "kill" else signal.SIGTERM)

    def _go_on(self, pid):
        signal_all(self.stopped.pop(pid, []), signal.SIGCONT)

    def end(self):
        """Nothing stands still any more."""
        for pid in list(self.stopped):
            self._go_on(pid)


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
