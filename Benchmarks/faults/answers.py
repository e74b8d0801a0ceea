"""The proof of the answers: a crowd asks while one fault follows the other, and each answer is judged."""

import asyncio
import contextlib
import random
import time
from collections import Counter, namedtuple

from comparison.processes import Failure, say

from .kinds import KINDS, SOON, System
from .questions import Asker, Submitter, Truth

# From the moment that all is well again to the next fault.
PAUSE = (1.0, 2.0)
# Longest that a task may need to its end after the last fault.
PATIENCE = 60
# What a machine that is busy with other things may answer at any time: the accepted are not to wait for long.
BUSY = "503 OVERLOADED"
# A fault that was carried out: its kind, and when it began and ended, by the clock of the event loop.
Done = namedtuple("Done", "kind began ended")
# How it was seen: when all was right again, and how long the last of those waited that were asked before its end.
Seen = namedtuple("Seen", "again held outcomes")


def schedule(seed, only):
    """The kinds in a new order for ever: each of them in its turn as often as its weight says."""
    chance = random.Random(f"answers {seed}")
    kinds = [kind for kind in KINDS if not only or any(word in kind.name for word in only)]
    if not kinds:
        raise Failure(f"no fault has {' or '.join(only)} in its name")
    while True:
        round_ = [kind for kind in kinds for _ in range(kind.weight)]
        chance.shuffle(round_)
        yield from round_


async def fight(options, target, truth):
    """Clients and faults at the same time; the answers and the faults."""
    clock = asyncio.get_running_loop().time
    answers, done = [], []
    askers = [Asker(number, options.seed, target.gateway, truth, answers) for number in range(options.connections)]
    submitters = [Submitter(number, options.seed, target.api, truth) for number in range(4)]
    running = [asyncio.create_task(client.run()) for client in askers + submitters]
    with contextlib.ExitStack() as scope:
        system = System(target, target.folder, random.Random(f"lengths {options.seed}"), scope)
        kinds = schedule(options.seed, options.only)
        await asyncio.sleep(2)
        start = clock()
        while clock() < start + options.minutes * 60 and (not options.faults or len(done) < options.faults):
            kind = next(kinds)
            began = clock()
            await kind.act(system)
            done.append(Done(kind, began, clock()))
            say(f"{began - start:6.1f} s  {kind.name}, {clock() - began:.1f} s")
            broken = [task for task in running if task.done()]
            if broken:
                broken[0].result()
            await asyncio.sleep(max(kind.patience, SOON) + system.chance.uniform(*PAUSE))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    say("seeing the accepted tasks through")
    for submitter in submitters:
        await submitter.see_through(PATIENCE)
    return answers, done, submitters


def judge(answers, done):
    """What was seen of each fault, and what is wrong: as text."""
    wrong, seen = [], []
    for index, fault in enumerate(done):
        following = done[index + 1].began if index + 1 < len(done) else float("inf")
        near = [each for each in answers if each.answered >= fault.began and each.answered < following]
        outcomes = Counter(each.outcome for each in near if not each.right)
        after = [each for each in near if each.asked >= fault.ended]
        failed = [each.answered for each in after if not each.right and each.outcome != BUSY]
        last_failed = max(failed, default=fault.ended)
        again = min((each.answered for each in after if each.right and each.answered >= last_failed), default=None)
        again = float("inf") if again is None else again - fault.ended
        held = max((each.answered - fault.ended for each in near if each.asked < fault.ended), default=0)
        seen.append(Seen(again, max(0, held), outcomes))
        where = f"{fault.kind.name} at {fault.began - done[0].began:.1f} s"
        for outcome, count in outcomes.items():
            if outcome == "200":
                wrong.append(f"{where}: {count} × 200 with a wrong average")
            elif outcome not in fault.kind.allowed | {BUSY}:
                wrong.append(f"{where}: {count} × {outcome}")
        if again > SOON:
            wrong.append(f"{where}: right again only after {again:.2f} s")
        if held > fault.kind.patience:
            wrong.append(f"{where}: who asked before its end waited {held:.2f} s after it")
    before = [each for each in answers if not each.right and each.answered < done[0].began]
    if before:
        wrong.append(f"before any fault: {Counter(each.outcome for each in before)}")
    return seen, wrong


def judge_tasks(submitters, done):
    ends, wrong = Counter(), []
    forgotten = [fault.ended for fault in done if fault.kind.forgets]
    for submitter in submitters:
        wrong += [f"task {id} has a wrong result" for id in submitter.wrong]
        for id, (accepted, _) in submitter.accepted.items():
            end = submitter.ends.get(id, "none")
            ends[end] += 1
            may_be_forgotten = any(moment >= accepted for moment in forgotten)
            if end != "succeeded" and not (may_be_forgotten and end in ("404", "expired")):
                wrong.append(f"task {id}, accepted with 202, has the end: {end}")
    return ends, wrong


def report(options, answers, done, seen, ends):
    counts = Counter("right" if each.right else each.outcome for each in answers)
    print(f"seed     {options.seed}, {options.minutes:g} minutes, {options.connections} connections, {len(done)} faults")
    print(f"answers  {', '.join(f'{count} × {name}' for name, count in counts.most_common())}")
    print(f"tasks    {', '.join(f'{count} × {name}' for name, count in ends.most_common())}")
    print("\n| fault | row | times | lasted | instead of the average | right again | asked before, answered after |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        own = [(fault, each) for fault, each in zip(done, seen) if fault.kind is kind]
        if not own:
            continue
        outcomes = sum((each.outcomes for _, each in own), Counter())
        words = ", ".join(f"{count} × {name}" for name, count in outcomes.most_common()) or "nothing"
        lasted = span(fault.ended - fault.began for fault, _ in own)
        print(f"| {kind.name} | {kind.row} | {len(own)} | {lasted} s | {words} | {span(each.again for _, each in own)} s"
              f" | {span(each.held for _, each in own)} s |")
    print(flush=True)


def span(values):
    values = sorted(values)
    low, high = f"{values[0]:.2f}", f"{values[-1]:.2f}"
    return low if low == high else f"{low}–{high}"


def truth_of(target):
    rows = target.sql("select symbol, (recorded_at at time zone 'utc')::date, price from prices")
    return Truth([line.split("|") for line in rows.splitlines()])


def run(options, target):
    truth = truth_of(target)
    say(f"seed {options.seed}: {options.connections} clients for {options.minutes:g} minutes")
    start = time.monotonic()
    answers, done, submitters = asyncio.run(fight(options, target, truth))
    seen, wrong = judge(answers, done)
    ends, wrong_tasks = judge_tasks(submitters, done)
    report(options, answers, done, seen, ends)
    say(f"{time.monotonic() - start:.0f} s in all")
    wrong += wrong_tasks
    for line in wrong[:50]:
        print(f"WRONG    {line}")
    if not any(each.right for each in answers):
        raise Failure("nothing was answered: this proves nothing")
    print("every answer was one that it may be" if not wrong else f"{len(wrong)} things were wrong", flush=True)
    return 1 if wrong else 0
