// Everything that is shown comes as one snapshot a second. Rows are kept and changed in place, so that the keyboard's
// focus, what is unfolded and what is selected stay where they are.

const byId = id => document.getElementById(id);
const state = byId("state"), note = byId("note"), operator = byId("operator");
let last = null;      // the snapshot before, for rates
let known = new Map(); // process -> figures before

// MARK: Words

const seconds = ms => ms == null ? "–" : ms < 0 ? "0 s" : ms < 10000 ? (ms / 1000).toFixed(1) + " s"
  : ms < 120000 ? Math.round(ms / 1000) + " s" : ms < 7200000 ? Math.round(ms / 60000) + " min"
  : ms < 172800000 ? Math.round(ms / 3600000) + " h" : Math.round(ms / 86400000) + " d";
const count = n => n == null ? "–" : n.toLocaleString("en");
const clock = text => text ? text.replace("T", " ").replace(/\.\d+Z$|Z$/, "") : "–";
const bytes = n => Number.isFinite(n) ? (n / 1048576).toFixed(1) + " MiB" : "–";
const rate = n => n == null || !Number.isFinite(n) ? "–" : n < 10 ? n.toFixed(1) : count(Math.round(n));

// MARK: Rows

/// Shows rows of cells; a cell is a text, or {text, kind, fold} or {buttons}.
function show(section, rows, empty) {
  const body = byId(section).querySelector("tbody");
  if (!rows.length) rows = [{ key: "", cells: [{ text: empty, kind: "empty", span: true }] }];
  const old = new Map([...body.rows].map(row => [row.dataset.key, row]));
  let place = null;
  for (const row of rows) {
    let element = old.get(row.key);
    old.delete(row.key);
    if (!element || element.cells.length !== row.cells.length) {
      element?.remove();
      element = document.createElement("tr");
      element.dataset.key = row.key;
      element.setAttribute("role", "row");
      for (const [index, cell] of row.cells.entries()) element.append(make(cell, body, index));
    }
    row.cells.forEach((cell, index) => fill(element.cells[index], cell));
    const next = place ? place.nextSibling : body.firstChild;
    if (next !== element) body.insertBefore(element, next);
    place = element;
  }
  for (const element of old.values()) element.remove();
}

function make(cell, body, index) {
  const td = document.createElement("td"), heads = body.parentElement.tHead.rows[0].cells;
  // On a narrow screen rows are cards, and would be no table to a screen reader.
  td.setAttribute("role", "cell");
  td.dataset.label = heads[index].textContent.trim();
  if (cell?.span) td.colSpan = heads.length;
  if (cell?.fold) {
    const details = document.createElement("details");
    details.append(document.createElement("summary"), document.createElement("pre"));
    td.append(details);
  }
  for (const button of cell?.buttons ?? []) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = button.label;
    element.setAttribute("aria-label", `${button.label} ${button.of}`);
    element.dataset.act = button.act;
    element.dataset.id = button.of;
    td.append(element);
  }
  return td;
}

function fill(td, cell) {
  const kind = cell?.buttons ? "do" : cell?.kind ?? "";
  if (td.className !== kind) td.className = kind;
  if (cell?.buttons) return;
  if (cell === "") return td.replaceChildren();
  if (cell?.fold) {
    put(td.querySelector("summary"), cell.text);
    put(td.querySelector("pre"), cell.fold);
  } else put(td, typeof cell === "object" && cell ? cell.text : cell);
}

function put(element, text) {
  text = String(text ?? "–");
  if (element.textContent !== text) element.textContent = text;
}

function facts(section, parts) {
  const p = byId(section).querySelector(".facts");
  if (p.childElementCount !== parts.length) {
    p.replaceChildren(...parts.flatMap((_, index) => [index ? " · " : "", document.createElement("span")]));
    for (const span of p.children) span.append(document.createElement("b"), " ");
  }
  parts.forEach(([value, words], index) => {
    put(p.children[index].firstChild, value);
    const text = p.children[index].lastChild;
    if (text.data !== " " + words) text.data = " " + words;
  });
}

function fails(section, part) {
  const element = byId(section);
  let words = element.querySelector(".failure");
  if (!words) {
    words = document.createElement("p");
    words.className = "failure";
    element.querySelector("h2").after(words);
  }
  words.hidden = !part?.error;
  if (part?.error) put(words, part.error + (part.at ? ` Shown as of ${clock(part.at)}.` : ""));
  return part?.data;
}

// MARK: Parts

const pretty = text => { try { return JSON.stringify(JSON.parse(text), null, 1); } catch { return text; } };
const two = (name, of) => [{ label: "Replay", act: `${name}.replay`, of }, { label: "Drop", act: `${name}.drop`, of }];

function showQueue(now, elapsed) {
  const queue = fails("queue", now.queue), before = last?.queue?.data;
  fails("dead", now.queue);
  if (!queue) return;
  const per = name => before && elapsed ? rate(Math.max(0, (queue.totals[name] ?? 0) - (before.totals[name] ?? 0)) / elapsed) : "–";
  facts("queue", [
    [queue.paused ? "paused" : "running", ""], [count(queue.queued), "queued"], [count(queue.running), "running"],
    [count(queue.delayed), "delayed"], [seconds(queue.oldest_ms), "oldest"], [per("submitted"), "in/s"],
    [per("succeeded"), "done/s"], [per("failed"), "failed/s"],
  ]);
  // One button, so that the keyboard stays on it.
  const button = byId("queue").querySelector(".actions button");
  button.dataset.act = queue.paused ? "queue.resume" : "queue.pause";
  put(button, queue.paused ? "Resume" : "Pause");
  // One that holds nothing has nothing to do: Redis does not hear of it meanwhile.
  show("queue", queue.workers.map(worker => ({
    key: worker.name,
    cells: [{ text: worker.name, kind: "id" }, { text: count(worker.holds), kind: "n" }, { text: seconds(worker.idle_ms), kind: worker.holds > 0 && worker.idle_ms > 10000 ? "n warn" : "n" }],
  })), "No worker has taken anything yet.");
  for (const button of byId("dead").querySelectorAll(".actions button")) button.disabled = !queue.dead;
  put(byId("dead-h"), queue.dead > queue.dead_letters.length ? `Dead tasks, the oldest ${queue.dead_letters.length} of ${count(queue.dead)}` : "Dead tasks");
  show("dead", queue.dead_letters.map(letter => ({
    key: letter.entry,
    cells: [
      { text: `${letter.name ?? "unreadable"} ${letter.id ?? ""}`, kind: "id" }, clock(letter.died_at),
      { text: letter.attempts, kind: "n" }, { text: `${letter.code}: ${letter.message}`, kind: "text" },
      { text: "Arguments", fold: pretty(letter.arguments ?? ""), kind: "text" },
      letter.id ? { buttons: two("queue", letter.id) } : "",
    ],
  })), "No task was given up.");
}

function showEvents(now) {
  const events = fails("events", now.events);
  if (!events) return;
  facts("events", [[count(events.length), "in the stream"], [count(events.behind), "behind"], [count(events.pending), "being worked on"], [count(events.dead), "dead"]]);
  for (const button of byId("events").querySelectorAll(".actions button")) button.disabled = !events.dead;
  show("events", events.dead_letters.map(letter => ({
    key: letter.id,
    cells: [
      { text: letter.id, kind: "id" }, { text: letter.attempts, kind: "n" }, { text: letter.error, kind: "text" },
      { text: letter.key || "Payload", fold: pretty(letter.payload), kind: "text" }, { buttons: two("events", letter.id) },
    ],
  })), "No event was given up.");
}

function showOrders(now) {
  const orders = fails("orders", now.orders);
  if (!orders) return;
  facts("orders", [[orders.waiting_is_more ? `over ${count(orders.waiting)}` : count(orders.waiting), "wait to be placed"]]);
  show("orders", orders.stuck.map(order => ({
    key: order.id,
    cells: [
      { text: order.id, kind: "id" }, { text: seconds(order.waits_ms), kind: "n" }, { text: order.attempts, kind: "n" },
      { text: order.now + (order.may_be_placed ? ", may be placed already" : ""), kind: order.may_be_placed ? "text warn" : "text" },
      { text: order.last_error ?? "–", kind: "text" },
      { buttons: [
        { label: "Hold", act: "orders.hold", of: order.id }, { label: "Release", act: "orders.release", of: order.id },
        { label: "Retry", act: "orders.retry", of: order.id }, { label: "Give up", act: "orders.give-up", of: order.id },
      ] },
    ],
  })), "No order waits.");
}

function showPolling(now) {
  const jobs = fails("polling", now.polling);
  if (!jobs) return;
  show("polling", jobs.map(job => ({
    key: job.job_id,
    cells: [
      { text: job.job_id, kind: "id" }, { text: job.config.symbols.join(", "), kind: "text" }, job.provider ?? "any", { text: seconds(job.config.interval * 1000), kind: "n" },
      { text: job.status === "paused" ? "paused" : job.last_error ? "failing" : "runs", kind: job.status === "paused" ? "warn" : job.last_error ? "bad" : "good" },
      { text: count(job.runs), kind: "n" }, { text: count(job.failures), kind: "n" }, clock(job.next_run_at), { text: job.last_error ?? "–", kind: "text" },
    ],
  })), "There are no polling jobs.");
}

function series(figures, name) {
  const found = [];
  for (const [key, value] of Object.entries(figures)) {
    if (key !== name && !key.startsWith(name + "{")) continue;
    const labels = {};
    for (const [, label, text] of key.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) labels[label] = text.replace(/\\(.)/g, "$1");
    found.push({ labels, value: Number(value), text: value });
  }
  return found;
}
const figure = (figures, name) => Number(figures?.[name] ?? NaN);

/// What a process told now and before: it tells every few seconds, and a rate is between two tellings.
function remember(id, heard, figures) {
  const entry = known.get(id);
  if (entry && heard - entry.heard < 1500) return entry;
  return { heard, figures, before: entry && { heard: entry.heard, figures: entry.figures } };
}

function perSecond(entry, name) {
  const span = entry.before ? (entry.heard - entry.before.heard) / 1000 : 0;
  return span > 0 ? Math.max(0, figure(entry.figures, name) - figure(entry.before.figures, name)) / span : NaN;
}

function showProcesses(now) {
  fails("circuits", now.processes);
  const processes = fails("processes", now.processes);
  if (!processes) return;
  const time = Date.parse(now.time), next = new Map();
  show("processes", processes.map(({ id, age_ms, told }) => {
    const entry = remember(id, time - age_ms, told.figures);
    next.set(id, entry);
    const cpu = perSecond(entry, "process_cpu_seconds_total");
    const turns = perSecond(entry, "tickloop_loop_turn_duration_seconds_count");
    const busy = perSecond(entry, "tickloop_loop_turn_duration_seconds_sum");
    return {
      key: id,
      cells: [
        { text: id, kind: "id" }, told.version, { text: seconds(time - Date.parse(told.started_at)), kind: "n" },
        { text: bytes(figure(told.figures, "process_resident_memory_bytes")), kind: "n" },
        { text: Number.isFinite(cpu) ? (cpu * 100).toFixed(1) + " %" : "–", kind: cpu > .9 ? "n bad" : cpu > .7 ? "n warn" : "n" },
        { text: turns > 0 ? (busy / turns * 1000).toFixed(2) + " ms" : "–", kind: "n" },
        { text: rate(perSecond(entry, "tickloop_http_requests_total")), kind: "n" },
        { text: count(figure(told.figures, "tickloop_http_connections") || 0), kind: "n" },
        { text: told.addresses.join(" "), kind: "text" },
        { text: seconds(age_ms), kind: age_ms > 12000 ? "n warn" : "n" },
      ],
    };
  }), "No process has said that it is there.");
  known = next;
  showCircuits(processes);
  return processes;
}

const breakerKind = state => state === "closed" ? "good" : state === "open" ? "bad" : "warn";

function showCircuits(processes) {
  const breakers = new Map(), budgets = new Map();
  const entry = (map, name) => map.get(name) ?? map.set(name, {}).get(name);
  for (const { id, told } of processes) {
    for (const { labels, value } of series(told.figures, "tickloop_upstream_circuit_state")) {
      if (value === 1) (entry(breakers, `Breaker to ${labels.upstream ?? "an upstream"}`)[labels.state] ??= []).push(id);
    }
    for (const { labels, value } of series(told.figures, "tickloop_outbox_open")) {
      (entry(breakers, `Breaker of messages to ${labels.destination ?? "the exchange"}`)[value ? "open" : "closed"] ??= []).push(id);
    }
    for (const { labels, value } of series(told.figures, "tickloop_provider_budget_left")) {
      const budget = entry(budgets, labels.provider);
      if (Number.isFinite(value)) budget[labels.window] = Math.min(budget[labels.window] ?? Infinity, value);
    }
    for (const { labels, value } of series(told.figures, "tickloop_provider_cooldown_seconds")) {
      const budget = entry(budgets, labels.provider);
      budget.cooldown = Math.max(budget.cooldown ?? 0, value);
    }
  }
  const rows = [];
  for (const [what, states] of breakers) for (const [state, ids] of Object.entries(states)) {
    // Who is named where something is wrong.
    const isWell = state === "closed" && Object.keys(states).length === 1;
    rows.push({ what, who: isWell ? `${ids.length} ${ids.length === 1 ? "process" : "processes"}` : ids.join(" "), state, kind: breakerKind(state) });
  }
  for (const [provider, budget] of budgets) {
    const left = ["second", "minute", "day"].filter(window => budget[window] != null);
    const words = left.map(window => `${count(budget[window])} left this ${window}`);
    if (budget.cooldown > 0) words.push(`left alone for ${seconds(budget.cooldown * 1000)}`);
    const isShort = budget.cooldown > 0 || left.some(window => budget[window] === 0);
    rows.push({ what: `Budget of ${provider}`, who: "all together", state: words.join(", ") || "no limit", kind: isShort ? "warn" : "good" });
  }
  // What is well comes last.
  rows.sort((a, b) => (a.kind === "good") - (b.kind === "good") || a.what.localeCompare(b.what) || a.state.localeCompare(b.state));
  show("circuits", rows.map(row => ({
    key: `${row.what} ${row.state}`, cells: [{ text: row.what, kind: "text" }, row.who, { text: row.state, kind: row.kind }],
  })), "Nothing is known yet.");
}

function showLimits(now, processes) {
  const limits = fails("limits", now.limits);
  if (!limits) return;
  const counts = new Map();
  for (const { told } of processes ?? []) for (const { labels, value } of series(told.figures, "tickloop_rate_limit_requests_total")) {
    const entry = counts.get(labels.route) ?? {};
    counts.set(labels.route, entry);
    entry[labels.outcome] = (entry[labels.outcome] ?? 0) + value;
  }
  show("limits", limits.map(limit => {
    const scope = limit.by === "both" ? limit.route : `${limit.by} ${limit.route}`;
    const name = limit.address ? `${scope} from ${limit.address}` : scope;
    const entry = counts.get(name);
    return {
      key: `${name} ${limit.source}`,
      cells: [
        { text: limit.route, kind: "id" }, limit.by, limit.address ?? "anywhere",
        limit.requests ? `${count(limit.requests)} in ${limit.per_s} s` : "any number", { text: limit.source, kind: limit.source === "change" ? "warn" : "" },
        { text: count(entry?.allowed ?? 0), kind: "n" }, { text: count(entry?.refused ?? 0), kind: "n" },
        limit.source === "change" ? { buttons: [{ label: "Take back", act: "limits.reset", of: JSON.stringify([limit.by, limit.route, limit.address]) }] } : "",
      ],
    };
  }), "Nothing is limited.");
}

function showAudit(now) {
  const entries = fails("audit", now.audit);
  if (!entries) return;
  show("audit", entries.map(entry => ({
    key: entry.id,
    cells: [clock(entry.time), { text: entry.who, kind: "id" }, entry.from, entry.action, { text: entry.target || "–", kind: "id" }, entry.result],
  })), "Nothing yet.");
}

function showTiles(now, processes) {
  const queue = now.queue?.data, orders = now.orders?.data, events = now.events?.data;
  const tiles = [
    ["Tasks queued", queue && count(queue.queued + queue.running + queue.delayed), queue?.paused ? "warn" : ""],
    ["Oldest task", queue && seconds(queue.oldest_ms), queue?.oldest_ms > 10000 ? "warn" : ""],
    ["Queue", queue && (queue.paused ? "paused" : "runs"), queue?.paused ? "warn" : ""],
    ["Dead tasks", queue && count(queue.dead), queue?.dead ? "bad" : ""],
    ["Dead events", events && count(events.dead), events?.dead ? "bad" : ""],
    ["Orders waiting", orders && (orders.waiting_is_more ? "> " : "") + count(orders.waiting), orders?.stuck[0]?.waits_ms > 60000 ? "warn" : ""],
    ["Oldest order", orders && seconds(orders.stuck[0]?.waits_ms), orders?.stuck[0]?.waits_ms > 60000 ? "bad" : ""],
    ["Processes", processes && count(processes.length), ""],
  ];
  const list = byId("tiles");
  while (list.childElementCount < tiles.length) {
    const li = document.createElement("li");
    li.append(document.createElement("b"), document.createElement("span"));
    list.append(li);
  }
  tiles.forEach(([words, value, kind], index) => {
    const li = list.children[index];
    if (li.className !== kind) li.className = kind;
    put(li.firstChild, value || "–");
    put(li.lastChild, words);
  });
}

function take(now) {
  const elapsed = last ? (Date.parse(now.time) - Date.parse(last.time)) / 1000 : 0;
  showQueue(now, elapsed);
  const processes = showProcesses(now);
  showEvents(now);
  showOrders(now);
  showPolling(now);
  showLimits(now, processes);
  showAudit(now);
  showTiles(now, processes);
  last = now;
}

// MARK: The stream

let attempt = 0, abort = null;

async function follow() {
  const number = ++attempt;
  abort?.abort();
  abort = new AbortController();
  try {
    const answer = await fetch("/admin/stream", { signal: abort.signal, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) return refused(answer.status);
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    for await (const event of eventsOf(answer)) {
      if (event.name !== "snapshot") continue;
      take(JSON.parse(event.data));
      state.className = "open";
      put(state, `Live, ${clock(last.time)} UTC`);
    }
    throw new Error("it ended");
  } catch (error) {
    if (number !== attempt) return;
    state.className = "lost";
    put(state, last ? `Lost, shown as of ${clock(last.time)} UTC; trying again` : "No answer; trying again");
    setTimeout(() => number === attempt && follow(), 1000 + Math.random() * 2000);
  }
}

function refused(status) {
  state.className = "lost";
  put(state, status === 401 ? "A token with the scope admin is needed; load the page again" : "You may not look at this");
}

// MARK: Actions

function say(words, isBad) {
  note.hidden = false;
  note.className = isBad ? "bad" : "";
  note.textContent = words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { note.hidden = true; }, isBad ? 15000 : 6000);
}

async function act(method, path, body) {
  if (!operator.reportValidity()) return;
  try {
    const answer = await fetch(path, {
      method, cache: "no-store", body: body && JSON.stringify(body),
      headers: { "X-Operator": operator.value, ...(body && { "Content-Type": "application/json" }) },
    });
    const told = await answer.json();
    if (answer.ok) return say(`Done: ${Object.entries(told).filter(([, value]) => value !== null).map(([name, value]) => `${name} ${value}`).join(", ")}`);
    say(told.details ? told.details.map(fault => fault.message).join("; ") : told.message, true);
  } catch (error) {
    say(`No answer: ${error.message}`, true);
  }
}

/// Asks before what cannot be undone; gives the reason, or null for no.
function ask(title, words, verb, wantsReason) {
  const dialog = byId("ask"), label = dialog.querySelector("label"), input = label.querySelector("input");
  put(byId("ask-h"), title);
  put(dialog.querySelector("p"), words);
  put(dialog.querySelector(".strong"), verb);
  label.hidden = !wantsReason;
  input.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? input.value || "-" : null), { once: true }));
}

const which = button => "all" in button.dataset ? { all: true } : { id: button.dataset.id };
const named = button => "all" in button.dataset ? "all of them" : button.dataset.id;

document.addEventListener("click", async event => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  const [part, verb] = [button.dataset.act.split(".")[0], button.dataset.act.split(".").slice(1).join(".")];
  switch (button.dataset.act) {
  case "queue.pause":
    if (await ask("Pause the queue?", "Workers take no new tasks; requests that need one will fail.", "Pause")) act("POST", "/admin/queue/pause");
    break;
  case "queue.resume": act("POST", "/admin/queue/resume"); break;
  case "queue.replay": case "events.replay":
    if (!("all" in button.dataset) || await ask("Replay all?", "Everything that was given up is tried anew.", "Replay")) act("POST", `/admin/${part}/dead/replay`, which(button));
    break;
  case "queue.drop": case "events.drop":
    if (await ask("Drop for good?", `This removes ${named(button)}, and cannot be undone.`, "Drop")) act("POST", `/admin/${part}/dead/drop`, which(button));
    break;
  case "orders.give-up": {
    const reason = await ask("Give this order up?", `${button.dataset.id} is rejected, and never placed.`, "Give up", true);
    if (reason) act("POST", `/admin/orders/${button.dataset.id}/give-up`, { reason });
    break;
  }
  case "orders.hold": case "orders.release": case "orders.retry": act("POST", `/admin/orders/${button.dataset.id}/${verb}`); break;
  case "limits.reset": {
    const [by, route, address] = JSON.parse(button.dataset.id);
    act("DELETE", `/admin/limits?by=${by}&route=${encodeURIComponent(route)}${address ? `&address=${encodeURIComponent(address)}` : ""}`);
    break;
  }
  }
});

byId("limit").addEventListener("submit", event => {
  event.preventDefault();
  const form = new FormData(event.target);
  act("PUT", "/admin/limits", {
    by: form.get("by"), route: form.get("route").trim(), address: form.get("address").trim() || null,
    requests: Number(form.get("requests")), per_s: Number(form.get("per_s")),
  });
});

byId("who").addEventListener("submit", event => event.preventDefault());

try {
  operator.value = localStorage.getItem("operator") ?? "";
  operator.addEventListener("change", () => localStorage.setItem("operator", operator.value));
} catch { /* a browser that keeps nothing asks each time */ }
follow();
