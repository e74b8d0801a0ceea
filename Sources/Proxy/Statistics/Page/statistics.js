const [minute, hour, day] = [60, 3600, 86400];
const ranges = new Map([
  ["15m", ["15 minutes", 15 * minute]], ["1h", ["an hour", hour]], ["3h", ["3 hours", 3 * hour]],
  ["1d", ["a day", day]], ["7d", ["7 days", 7 * day]], ["30d", ["30 days", 30 * day]],
]);
const widthNames = new Map([[minute, "a minute"], [hour, "an hour"], [day, "a day"]]);
const answerTimeout = 10_000;
const element = (id) => document.getElementById(id);
const namespace = element("chart").content.querySelector("svg").namespaceURI;
const choice = { route: "", range: "1h" };
let timer = null;
let generation = 0;

// How values are written.
const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const duration = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  const [value, unit] = seconds >= 1 ? [seconds, "s"] : seconds >= 0.001 ? [seconds * 1000, "ms"] : [seconds * 1e6, "µs"];
  return `${Number(value.toPrecision(3))} ${unit}`;
};
// Never 100 % where something failed.
const share = (rate) => {
  if (rate === null || rate === undefined) return "–";
  const digits = rate > 0.99 && rate < 1 ? 3 : 1;
  const shown = Math.floor(rate * 100 * 10 ** digits) / 10 ** digits;
  return `${shown} %`;
};
const moment = (seconds, width) => {
  const text = new Date(seconds * 1000).toISOString();
  return width === day ? text.slice(0, 10) : width === hour ? text.slice(5, 16).replace("T", " ") : text.slice(11, 16);
};

function make(name, attributes, ...children) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The next round number that is not smaller.
const round = (value) => {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((step) => step * unit).find((step) => step >= value * (1 - 1e-9));
};

// One value, or several, for each piece of time; drawn in pixels of the screen, so that text keeps its shape.
class Chart {
  constructor(title, series, style) {
    this.section = element("chart").content.cloneNode(true).firstElementChild;
    this.part = (selector) => this.section.querySelector(selector);
    this.series = series;
    this.style = style;
    this.title = title;
    this.picture = this.part(":scope > svg");
    for (const each of series) {
      const sign = make("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, style.isStacked
        ? make("rect", { class: `bar ${each.tone}`, width: 24, height: 8 })
        : make("path", { class: `line ${each.tone} ${each.dash ?? ""}`, d: "M1 4H23" }));
      const item = document.createElement("li");
      item.append(sign, each.name);
      this.part(".legend").append(item);
    }
    this.part(".legend").hidden = series.length < 2;
    new ResizeObserver(() => this.draw()).observe(this.picture);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => { this.pointed = null; this.draw(); });
  }

  show(pieces, width) {
    this.pieces = pieces;
    this.width = width;
    this.part("h2").textContent = this.title(widthNames.get(width));
    this.draw();
  }

  point(event) {
    if (!this.pieces?.length) return;
    const box = this.picture.getBoundingClientRect();
    const place = Math.floor((event.clientX - box.left - this.left) / (box.width - this.left) * this.pieces.length);
    this.pointed = this.pieces[Math.max(0, Math.min(this.pieces.length - 1, place))].time;
    this.draw();
  }

  draw() {
    const [width, height] = [this.picture.clientWidth, this.picture.clientHeight];
    if (!this.pieces || width === 0) return;
    const [top, bottom] = [8, height - 20];
    const values = this.pieces.flatMap((piece) => this.style.isStacked
      ? [this.series.reduce((sum, each) => sum + (each.value(piece) ?? 0), 0)] : this.series.map((each) => each.value(piece)))
      .filter((value) => value !== null && value !== undefined);
    const [low, high] = this.style.bounds(values);
    const labels = [high, (low + high) / 2, low].map((value) => this.style.label(value));
    this.left = 10 + 7 * Math.max(...labels.map((label) => label.length));
    const step = (width - this.left) / this.pieces.length;
    const x = (index) => this.left + index * step;
    const y = (value) => bottom - (value - low) / (high - low) * (bottom - top);
    const parts = [];
    for (const [index, value] of [high, (low + high) / 2, low].entries()) {
      parts.push(make("line", { class: "grid", x1: this.left, x2: width, y1: y(value), y2: y(value) }));
      parts.push(make("text", { x: this.left - 6, y: y(value) + 4, "text-anchor": "end" }, labels[index]));
    }
    const first = moment(this.pieces[0].time, this.width);
    const last = moment(this.pieces.at(-1).time, this.width);
    parts.push(make("text", { x: this.left, y: height - 4 }, first));
    parts.push(make("text", { x: width, y: height - 4, "text-anchor": "end" }, `${last} UTC`));
    if (this.style.isStacked) this.bars(parts, x, y, step); else this.lines(parts, x, y, step);
    const pointed = this.pieces.findIndex((piece) => piece.time === this.pointed);
    if (pointed >= 0) {
      parts.push(make("line", { class: "cursor", x1: x(pointed + 0.5), x2: x(pointed + 0.5), y1: top, y2: bottom }));
    }
    this.picture.replaceChildren(...parts);
    const shown = this.pieces.at(pointed >= 0 ? pointed : -1);
    const reading = `${moment(shown.time, this.width)} UTC: ` + this.series
      .map((each) => (this.series.length > 1 ? `${each.name} ` : "") + this.style.text(each.value(shown))).join(" · ");
    this.part(".reading").textContent = reading;
    this.picture.setAttribute("aria-label", `${this.part("h2").textContent}, ${first} to ${last} UTC; ${reading}`);
  }

  bars(parts, x, y, step) {
    const gap = step > 4 ? 1 : 0;
    for (const [index, piece] of this.pieces.entries()) {
      let under = 0;
      for (const each of this.series) {
        const value = each.value(piece) ?? 0;
        if (value === 0) continue;
        // What is there can be seen, however little it is.
        const size = Math.max(y(under) - y(under + value), 1);
        const isGrowing = index === this.pieces.length - 1 ? "growing" : "";
        parts.push(make("rect", {
          class: `bar ${each.tone} ${isGrowing}`, x: x(index), y: y(under) - size, width: Math.max(step - gap, 1), height: size,
        }));
        under += value;
      }
    }
  }

  // Pieces without a value part the line; one alone is a dot.
  lines(parts, x, y, step) {
    for (const each of this.series) {
      const values = this.pieces.map((piece) => each.value(piece) ?? null);
      let path = "";
      for (const [index, value] of values.entries()) {
        if (value === null) continue;
        const [cx, cy] = [(x(index) + step / 2).toFixed(1), y(value).toFixed(1)];
        const follows = (values[index - 1] ?? null) !== null;
        path += `${follows ? "L" : "M"}${cx} ${cy}`;
        const isAlone = !follows && (values[index + 1] ?? null) === null;
        if (isAlone) parts.push(make("circle", { class: `bar ${each.tone}`, cx, cy, r: 3 }));
      }
      parts.push(make("path", { class: `line ${each.tone} ${each.dash ?? ""}`, d: path }));
    }
  }
}

const ofClass = (name) => (piece) => piece.status?.[name] ?? 0;
const ofSeconds = (name) => (piece) => piece.seconds?.[name] ?? null;
const charts = [
  new Chart((width) => `Requests ${width}`, [
    { name: "2xx", tone: "first", value: ofClass("2xx") }, { name: "3xx", tone: "second", value: ofClass("3xx") },
    { name: "4xx", tone: "third", value: ofClass("4xx") }, { name: "5xx", tone: "fourth", value: ofClass("5xx") },
  ], {
    isStacked: true, bounds: (values) => [0, Math.max(2, round(Math.max(0, ...values)))],
    label: (value) => short.format(value), text: (value) => count.format(value),
  }),
  new Chart(() => "Success rate", [{ name: "success", tone: "first", value: (piece) => piece.success_rate ?? null }], {
    bounds: (values) => [Math.max(0, 1 - round(Math.max(0.01, 1 - Math.min(1, ...values)))), 1],
    label: (value) => `${Number((value * 100).toFixed(2))} %`, text: share,
  }),
  new Chart(() => "Latency", [
    { name: "median", tone: "first", value: ofSeconds("p50") },
    { name: "p90", tone: "second", dash: "dashed", value: ofSeconds("p90") },
    { name: "p99", tone: "third", dash: "dotted", value: ofSeconds("p99") },
  ], { bounds: (values) => [0, round(Math.max(0.0001, ...values))], label: duration, text: duration }),
];

const note = (text) => {
  element("note").textContent = text;
  element("note").hidden = text === "";
};

async function ask(name, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  const answer = await request(`/api/statistics/${name}?${query}`, { signal: AbortSignal.timeout(answerTimeout) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message);
  return body;
}

function row(name, values, attributes = {}) {
  const made = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.append(name);
  made.append(head, ...values.map((value) => {
    const cell = document.createElement("td");
    cell.className = "number";
    cell.append(value);
    return cell;
  }));
  Object.assign(made, attributes);
  return made;
}

function showRoutes(routes) {
  const names = [...new Set([...routes.map((each) => each.route), choice.route].filter((name) => name !== ""))].sort();
  const options = ["", ...names].map((name) => new Option(name === "" ? "all" : name, name));
  const select = element("route");
  // Not while somebody chooses.
  if ([...select.options].map((option) => option.value).join() !== options.map((option) => option.value).join()) {
    select.replaceChildren(...options);
  }
  select.value = choice.route;
  element("routes").replaceChildren(...routes.map((each) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = each.route;
    button.setAttribute("aria-pressed", each.route === choice.route);
    button.addEventListener("click", () => choose({ route: each.route === choice.route ? "" : each.route }));
    return row(button, [
      count.format(each.requests), share(each.success_rate), duration(each.seconds.p50), duration(each.seconds.p99),
    ]);
  }));
}

function showPaths(top) {
  const rows = [...top.data, ...(top.other ? [{ ...top.other, isOther: true }] : [])];
  const all = rows.reduce((sum, each) => sum + each.requests, 0);
  element("paths").replaceChildren(...rows.map((each) => {
    const made = row(each.isOther ? "all others" : each.path, [
      count.format(each.requests), share(each.success_rate), duration(each.seconds.mean), duration(each.seconds.max),
    ], { className: each.isOther ? "other" : "" });
    const bar = document.createElement("span");
    bar.className = "share";
    bar.style.width = `${each.requests / all * 100}%`;
    made.firstElementChild.append(bar);
    return made;
  }));
}

function showSeries(series, since, now) {
  const width = series.width_s;
  const known = new Map(series.data.map((piece) => [Date.parse(piece.time) / 1000, piece]));
  const pieces = [];
  for (let time = Math.floor(since / width) * width; time <= now; time += width) {
    pieces.push({ time, ...known.get(time), time });
  }
  for (const chart of charts) chart.show(pieces, width);
}

function showSummary(summary) {
  element("requests").textContent = count.format(summary.requests);
  element("success").textContent = share(summary.success_rate);
  for (const name of ["p50", "p90", "p99", "max"]) element(name).textContent = duration(summary.seconds?.[name]);
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++generation;
  const length = ranges.get(choice.range)[1];
  const now = Date.now() / 1000;
  // Whole minutes: they are sums already.
  const since = Math.floor((now - length) / minute) * minute + minute;
  const asked = { since: new Date(since * 1000).toISOString(), route: choice.route };
  try {
    const [summary, series, top, routes] = await Promise.all([
      ask("summary", asked), ask("series", asked), ask("top", asked), ask("routes", { since: asked.since }),
    ]);
    if (mine !== generation) return;
    showSummary(summary);
    showSeries(series, since, now);
    showPaths(top);
    showRoutes(routes.data);
    element("hours").textContent = `since ${moment(Math.floor(since / hour) * hour, hour)} UTC`;
    element("state").textContent = "Live";
    element("state").className = "open";
    note(summary.requests === 0 ? "Nothing was carried in this time." : "");
  } catch (error) {
    if (mine !== generation) return;
    element("state").textContent = "Connecting again";
    element("state").className = "";
    note(error instanceof TypeError || error.name === "TimeoutError" ? "The gateway does not answer." : error.message);
  }
  if (!document.hidden) timer = setTimeout(refresh, length > 3 * hour ? 10_000 : 2000);
}

function choose(changes) {
  Object.assign(choice, changes);
  element("range").value = choice.range;
  element("route").value = choice.route;
  history.replaceState(null, "", `?${new URLSearchParams(choice)}`);
  refresh();
}

const asked = new URLSearchParams(location.search);
choice.route = asked.get("route") ?? "";
if (ranges.has(asked.get("range"))) choice.range = asked.get("range");
if (choice.route !== "") element("route").append(new Option(choice.route, choice.route));
element("range").replaceChildren(...[...ranges].map(([name, [text]]) => new Option(text, name)));
element("range").value = choice.range;
element("route").value = choice.route;
element("charts").replaceChildren(...charts.map((chart) => chart.section));
element("choice").addEventListener("change", () => choose({ route: element("route").value, range: element("range").value }));
element("choice").addEventListener("submit", (event) => event.preventDefault());
addEventListener("token", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
