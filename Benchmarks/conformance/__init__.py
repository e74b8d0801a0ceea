"""What `Benchmarks/proxycheck` is made of; Python's standard library only.

    command       options, order of events, the table
    wire          a client and an upstream that say and hear bytes, and understand no more of HTTP than they must
    checks        the list of checks and what they are given
    hops          rows 1 to 9: connections, framing, fields of one hop
    bodies        rows 10 to 16: bodies, answers, targets, caches, what else passes
    contestants   other proxies, and how each is told to pass everything on
"""
