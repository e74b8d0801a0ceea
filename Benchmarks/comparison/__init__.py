"""What `Benchmarks/run` is made of; Python's standard library only.

    command       options, order of events
    processes     starting and ending programs; CPU time and memory from /proc
    system        a private Tickloop with its PostgreSQL and Redis, and copies of its processes with other settings
    nginx         how nginx is told what it serves
    contestants   who is compared: ours, the floor, nginx, the FastAPI peer
    load          wrk and the open-loop latency tool
    throughput    the main table
    goals         the measurements that each have a goal
    orders        orders, beside pgbench; has goals, too
    report        tables for people, JSON for machines
"""
