"""The main table: every contestant at every number of connections, in turns."""

from collections import defaultdict
from statistics import median

from .load import Ranges, wrk
from .processes import say
from .report import mebibytes, milliseconds, number, spread, table

ROLES = ["gateway", "api", "worker", "redis", "postgres"]


def alternate(contestants, connection_counts, seconds, rounds, ranges=Ranges()):
    """Measures all, in turns: what the machine does besides falls on each of them alike.

    :returns: By name and number of connections, a list of samples, one for each round.
    """
    samples = defaultdict(list)
    for round_number in range(rounds):
        for connections in connection_counts:
            # Who comes first changes, so that nobody always has the cooler processor.
            turn = round_number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                wrk(contestant, connections, 1, ranges, seed=9_000 + round_number)
                sample = wrk(contestant, connections, seconds, ranges, seed=1 + round_number)
                samples[contestant.name, connections].append(sample)
                say(f"  round {round_number + 1}: {contestant.name}, {connections} connections: {sample.rate:,.0f}/s")
    return samples


def show(samples):
    """The table of requests and CPU time."""
    headings = ["contestant", "connections", "requests/s", "p50 ms", "p99 ms", "errors", "CPU µs per request"]
    rows = []
    for (name, connections), runs in sorted(samples.items(), key=lambda item: item[0][1]):
        rows.append(
            [
                name,
                connections,
                spread([run.rate for run in runs]),
                milliseconds(median(run.p50_us for run in runs)),
                milliseconds(median(run.p99_us for run in runs)),
                sum(run.error_count for run in runs),
                number(median(run.total_cpu_us for run in runs), 1),
                *(
                    number(median(run.cpu_us[role] for run in runs), 1) if role in runs[0].cpu_us else ""
                    for role in ROLES
                ),
                number(median(run.generator_cpu_us for run in runs), 1),
            ]
        )
    return table([*headings, *ROLES, "(wrk)"], rows)


def show_memory(contestants, idle=None):
    """The table of memory, of every contestant's own processes and of the servers."""
    rows, seen = [], set()
    for contestant in contestants:
        for role, tree in contestant.roles.items():
            # Some processes serve several contestants.
            if tree.roots in seen:
                continue
            seen.add(tree.roots)
            now = tree.memory()
            before = (idle or {}).get((contestant.name, role))
            rows.append(
                [
                    f"{contestant.name}: {role}",
                    mebibytes(before["resident"]) if before else "",
                    mebibytes(before["anonymous"]) if before else "",
                    mebibytes(now["resident"]),
                    mebibytes(now["anonymous"]),
                ]
            )
    return table(["process", "idle: resident MiB", "anonymous", "after load: resident", "anonymous"], rows)


def memory_of(contestants):
    return {(each.name, role): tree.memory() for each in contestants for role, tree in each.roles.items()}
