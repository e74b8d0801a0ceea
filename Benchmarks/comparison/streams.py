"""Streams: what an open one costs, and how soon one event is with all, against a loop of `send` and nchan."""

import subprocess
from pathlib import Path
from statistics import median

from . import nginx
from .processes import Failure, ProcessTree, free_ports, say
from .report import Goal, milliseconds, number

SOURCE = Path(__file__).resolve().parents[1] / "fanout/fanout.c"
CLIENTS = 10_000
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NCHAN = """
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /publish {{ nchan_publisher; nchan_channel_id prices; nchan_message_buffer_length 1; }}
        location = /subscribe {{ nchan_subscriber eventsource; nchan_channel_id prices; }}
    }}
"""


def streams(bench):
    folder = bench.folder / "streams"
    folder.mkdir()
    program = folder / "fanout"
    subprocess.run(["gcc", "-O2", "-o", program, SOURCE], check=True)
    ports = dict(zip(("upstream", "gateway", "nchan"), free_ports(3)))
    words = [program, CLIENTS, max(10, 10 * bench.options.rounds), ports["upstream"], ports["gateway"]]
    pids = {}
    if NCHAN_MODULE.exists():
        pids["nchan"] = nchan(bench, folder, ports["nchan"]).pid
        words.append(ports["nchan"])
    else:
        say("without nchan: apt-get install --no-install-recommends libnginx-mod-nchan")
    fanout = subprocess.Popen(
        [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    bench.system.scope.callback(fanout.kill)
    said(fanout, "ready")
    address = f"127.0.0.1:{ports['upstream']}"
    gateway = bench.system.copy("gateway", "gateway-streams", ports["gateway"], UPSTREAM_ADDRESS=address)
    pids["gateway"] = gateway.pid
    before = {name: ProcessTree(pid).memory()["anonymous"] for name, pid in pids.items()}
    go(fanout)
    said(fanout, "connected")
    each = {
        name: (ProcessTree(pid).memory()["anonymous"] - before[name]) / CLIENTS for name, pid in pids.items()
    }
    go(fanout)
    runs = {}
    for line in fanout.stdout:
        name, _, *figures = line.split()
        runs.setdefault(name, []).append([float(figure) for figure in figures])
    if fanout.wait() != 0 or "gateway" not in runs:
        raise Failure("the clients of the streams have failed")
    yield from show(bench, runs, each)


def nchan(bench, folder, port):
    main = f"load_module {NCHAN_MODULE}; master_process off; worker_rlimit_nofile 16000;"
    command = nginx.command(folder / "nchan", NCHAN, main, connections=16_000, port=port)
    child = bench.system.start("nchan", command)
    child.wait_until_listening(port)
    return child


def said(program, word):
    line = program.stdout.readline().strip()
    if line != word:
        raise Failure(f"fanout said {line!r} in place of {word!r}")


def go(program):
    program.stdin.write("\n")
    program.stdin.flush()


def show(bench, runs, each):
    middle = {name: [median(run[index] for run in all_runs) for index in range(3)] for name, all_runs in runs.items()}
    bench.show(
        f"One event to {CLIENTS:,} streams",
        ["contestant", "p50 ms", "p99 ms", "last ms", "memory of a stream, bytes"],
        [
            [name, *(milliseconds(figure) for figure in figures), number(each[name]) if name in each else ""]
            for name, figures in middle.items()
        ],
        {"runs": runs, "memory": each},
        f"Medians of {len(runs['gateway'])} events each, in turns. bare: a loop of `send` in C. Memory: what no file "
        "backs, with all streams open less before.",
    )
    share = middle["gateway"][1] / middle["bare"][1]
    yield Goal("one event to 10,000 streams, p99 against a loop of send", "≤ 1.2 ×", f"{share:.2f} ×", share <= 1.2)
    yield Goal("memory of an open stream", "≤ 1,536 bytes", number(each["gateway"]), each["gateway"] <= 1536)
