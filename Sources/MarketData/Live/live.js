const pointsMax = 240;
const symbolsMax = 50;
const [width, height, margin] = [300, 120, 6];
const element = (id) => document.getElementById(id);
const charts = new Map();
let following = null;
let job = null;

// One chart a symbol: the last prices at equal distances, because a closed market gives one time again and again.
class Chart {
  constructor(symbol) {
    const section = element("chart").content.cloneNode(true).firstElementChild;
    this.part = (selector) => section.querySelector(selector);
    this.section = section;
    this.symbol = symbol;
    this.points = [];
    this.isDue = false;
    this.part("h2").textContent = symbol;
  }

  add(point) {
    this.points.push(point);
    if (this.points.length > pointsMax) this.points.shift();
    this.redraw();
  }

  clear() {
    this.points = [];
    this.redraw();
  }

  // At most once a frame, however many prices come.
  redraw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => { this.isDue = false; this.draw(); });
  }

  draw() {
    const points = this.points;
    const last = points.at(-1);
    if (!last) return;
    const values = points.flatMap((point) => [point.price, point.average]).filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const step = (width - 2 * margin) / Math.max(points.length - 1, 1);
    const x = (index) => margin + index * step;
    const y = (value) => high === low
      ? height / 2 : margin + (high - value) / (high - low) * (height - 2 * margin);
    const line = (key) => points.map((point, index) => [index, point[key]])
      .filter(([, value]) => value !== null)
      .map(([index, value], place) => `${place ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    this.part(".price").setAttribute("d", line("price"));
    this.part(".average").setAttribute("d", line("average"));
    this.part(".area").setAttribute("d", `${line("price")}L${x(points.length - 1)} ${height}L${x(0)} ${height}Z`);
    this.part(".value").textContent = last.text;
    const change = last.price - points[0].price;
    const share = points[0].price === 0 ? 0 : change / Math.abs(points[0].price) * 100;
    const sign = change > 0 ? "▲ +" : change < 0 ? "▼ −" : "";
    this.part(".change").textContent = `${sign}${Math.abs(share).toFixed(2)} % over ${points.length} prices`;
    this.part(".change").className = `change${change > 0 ? " up" : change < 0 ? " down" : ""}`;
    this.part(".low").textContent = `low ${low}`;
    this.part(".high").textContent = `high ${high}`;
    this.part(".detail").textContent = `${last.time.replace("T", " ").replace("Z", "")} UTC · ${last.provider ?? "imported"}`;
    this.part("svg").setAttribute("aria-label", `${this.symbol}: ${last.text}, between ${low} and ${high}`);
  }
}

const note = (text) => {
  element("note").textContent = text;
  element("note").hidden = text === "";
};

// The price as it was written, which a number of JavaScript may not be.
const exact = (text) => /"price":(-?[0-9.]+)/.exec(text)?.[1];

const symbolsOf = (text) => [...new Set(text.split(/[\s,]+/).filter((name) => /^[\w.^=:&-]{1,32}$/.test(name)))]
  .slice(0, symbolsMax);

async function fillIn(chart) {
  const answer = await request(`/prices/history?symbol=${encodeURIComponent(chart.symbol)}&limit=120`).catch(() => null);
  if (!answer?.ok) return;
  const rows = (await answer.json()).data.reverse();
  const mean = (part) => part.reduce((sum, row) => sum + row.price, 0) / part.length;
  const stored = rows.map((row, index) => ({
    price: row.price, average: mean(rows.slice(Math.max(0, index - 4), index + 1)), text: String(row.price),
    time: row.timestamp, provider: row.provider,
  }));
  // What has come meanwhile is its end.
  const [first] = chart.points;
  const end = first ? stored.findLastIndex((point) => point.time === first.time && point.price === first.price) : -1;
  chart.points = [...(end < 0 ? stored : stored.slice(0, end)), ...chart.points].slice(-pointsMax);
  chart.redraw();
}

function watch(symbols) {
  following?.abort();
  charts.clear();
  for (const symbol of symbols) charts.set(symbol, new Chart(symbol));
  element("charts").replaceChildren(...[...charts.values()].map((chart) => chart.section));
  if (symbols.length === 0) return note("Name at least one symbol.");
  note("");
  following = new AbortController();
  follow(`/prices/stream?symbols=${encodeURIComponent(symbols.join(","))}`, following.signal);
  for (const chart of charts.values()) fillIn(chart);
}

// Begins again where the stream broke off, until it is told to end.
async function follow(path, signal) {
  let last = null;
  let isRefused = false;
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const answer = await request(path, { signal, headers, cache: "no-store" });
      if (!answer.ok) throw new Error((await answer.json()).message);
      element("state").textContent = "Live";
      element("state").className = "open";
      if (isRefused) note("");
      isRefused = false;
      for await (const event of eventsOf(answer)) {
        last = event.id ?? last;
        take(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      isRefused = !(error instanceof TypeError);
      if (isRefused) note(error.message);
    }
    element("state").textContent = "Connecting again";
    element("state").className = "";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function take(event) {
  if (event.name === "reset") for (const chart of charts.values()) chart.clear();
  if (event.name !== "price") return;
  const price = JSON.parse(event.data);
  charts.get(price.symbol)?.add({
    price: price.price, average: price.moving_average, text: exact(event.data) ?? String(price.price),
    time: price.timestamp, provider: price.provider,
  });
}

async function toggleFetching() {
  const button = element("fetch");
  button.disabled = true;
  try {
    if (job) {
      await request(`/prices/poll/${job}`, { method: "DELETE" });
      note(`${job} has ended.`);
      job = null;
    } else {
      const answer = await request("/prices/poll", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ symbols: [...charts.keys()], interval: 1 }),
      });
      const body = await answer.json();
      if (!answer.ok) return note(body.message);
      job = body.job_id;
      note(`${job} fetches ${charts.size} symbols each second, also when this page is closed, until it is ended.`);
    }
  } catch {
    note("The gateway does not answer.");
  } finally {
    button.disabled = false;
    button.textContent = job ? "End fetching" : "Fetch each second";
  }
}

const asked = new URLSearchParams(location.search).get("symbols");
element("symbols").value = asked ?? "AAPL, MSFT, GOOGL, BTC-USD";
element("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  const symbols = symbolsOf(element("symbols").value);
  history.replaceState(null, "", `?symbols=${encodeURIComponent(symbols.join(","))}`);
  watch(symbols);
});
element("fetch").addEventListener("click", toggleFetching);
addEventListener("token", () => watch([...charts.keys()]));
watch(symbolsOf(element("symbols").value));
