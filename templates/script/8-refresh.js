// Keeps the figures fresh, and says when they are old.

/** @typedef {{opens: string, closes: string, phase: string}} TradingWindow */
/** @typedef {{as_of: string, generated_at: string, time_zone: string, phase: string, session_date: string | null,
    windows: TradingWindow[], settles: string | null, next_open: string | null,
    calendar_end: string | null, interval_minutes: number,
    refresh_seconds: number, recording: boolean}} Clock */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LOOK = 15_000; // how often the page looks at its own age
const PLACE = "#heatmap:"; // what a reload must not lose, beside the state, travels in the address

const readClock = (/** @type {Document} */ page) => /** @type {Clock} */ (readJson(page, "heatmap-clock"));
const scriptOf = (/** @type {Document} */ page) => page.querySelector('meta[name="heatmap-script"]')?.getAttribute("content");

let clock = readClock(document);
let received = Date.now();
let asked = Date.now(); // when a newer page was last asked for
let paused = false;
let asking = false;
const patience = 5000 + Math.random() * 20_000; // all readers' pages must not ask in the same second

/** The time: a recording runs on the recorded day's own clock. */
const now = () => (clock.recording ? Date.parse(clock.generated_at) + Date.now() - received : Date.now());
const time = (/** @type {string | null} */ iso) => (iso === null ? NaN : Date.parse(iso));
const wallTime = (/** @type {string} */ iso) => new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: clock.time_zone,
}).format(Date.parse(iso));

/** How much trading time lies between two moments, in milliseconds. */
const tradingTime = (/** @type {number} */ from, /** @type {number} */ to) => clock.windows.reduce((sum, window) =>
  sum + Math.max(Math.min(to, time(window.closes)) - Math.max(from, time(window.opens)), 0), 0);

/** Whether the figures are older than a page that is kept up could show. */
function isOld() {
  const limit = (2 * clock.interval_minutes + 2) * MINUTE;
  const [at, asOf, made] = [now(), time(clock.as_of), time(clock.generated_at)];
  if (at - time(clock.next_open) > limit) return true;
  if (clock.phase === "final") return false;
  if (!clock.windows.length) return clock.phase === "unknown" && at - asOf > limit;
  // Prices stand still during an auction: a page made in one has the age of the page, not of its prices.
  const auction = clock.windows.find((window) =>
    window.phase === "auction" && made >= time(window.opens) && made < time(window.closes));
  const since = auction && tradingTime(asOf, time(auction.opens)) <= limit ? made : asOf;
  // No page is made while trading pauses or prices settle, so that time does not count; the closing page has its own limit.
  if (tradingTime(since, at) > limit) return true;
  return clock.phase !== "closed" && at - time(clock.settles) > limit;
}

/** When to ask for a newer page: none can come after the session's last one until the next opens. */
function nextAsk() {
  const at = now();
  const next = time(clock.next_open);
  const regular = asked + clock.refresh_seconds * 1000;
  if (clock.recording) return location.protocol === "file:" ? Infinity : regular;
  const over = clock.phase === "final" || clock.phase === "closed" || at > time(clock.settles) + HOUR;
  if (!over || at >= next) return regular;
  if (Number.isNaN(next)) return Math.max(regular, asked + HOUR);
  return Math.max(regular, next + patience);
}

/** How old the figures are, in words. */
function age() {
  const minutes = Math.max(Math.round((now() - time(clock.as_of)) / MINUTE), 0);
  const [count, unit] = minutes < 90 ? [minutes, "minute"]
    : minutes < 48 * 60 ? [Math.round(minutes / 60), "hour"] : [Math.round(minutes / 1440), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"} old`;
}

function tellAge() {
  byId("age").textContent = ` · ${age()}`;
  const notice = byId("old");
  const old = isOld();
  const over = now() >= time(clock.settles) && !(now() >= time(clock.next_open));
  if (old) {
    notice.textContent = `These figures are old: they are of ${wallTime(clock.as_of)}, and ${
      over ? "the closing prices have not arrived" : "the page has not been updated since"}.`;
  }
  notice.hidden = !old;
  byId("ended").hidden = !(now() >= time(clock.calendar_end));
}

async function refresh() {
  if (asking) return;
  asking = true;
  asked = Date.now();
  try {
    if (location.protocol === "file:") return reload();
    const address = location.href.split(/[?#]/)[0];
    let answer;
    try {
      answer = await fetch(address, { cache: "no-cache" });
    } catch {
      // Refused, or no network? Only where the server can be reached may a reload replace this page.
      try {
        await fetch(address, { cache: "no-cache", mode: "no-cors" });
      } catch {
        return announce("connection lost, trying again");
      }
      return reload();
    }
    if (!answer.ok) return announce("no newer page, trying again");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!scriptOf(page) || !readClock(page)) return announce("no newer page, trying again");
    if (scriptOf(page) !== scriptOf(document)) return reload();
    await later.renew?.(readClock(page).as_of);
    swap(page);
  } finally {
    asking = false;
  }
}

/** Put the new figures in place of the old, and leave the reader where they were. */
function swap(/** @type {Document} */ page) {
  const fresh = readClock(page);
  announce("");
  if (fresh.generated_at === clock.generated_at) return; // and the page goes on ageing
  received = Date.now();
  clock = fresh;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = page.querySelector(`[data-live="${part.getAttribute("data-live")}"]`);
    if (other) part.replaceWith(document.adoptNode(other));
  }
  data = readJson(page, "heatmap-data");
  stocks = readStocks(page).map((stock) => {
    const link = bySymbol.get(stock.symbol)?.link;
    if (link) link.href = stock.link.href; // the same element: it may have the focus
    return { ...stock, link: link ?? document.adoptNode(stock.link) };
  });
  bySymbol = new Map(stocks.map((stock) => [stock.symbol, stock]));
  sectorOf = unpack(data.sector);
  listChoices();
  later.merge?.();
  Object.assign(state, readState(query()).state); // what there is to choose from may have changed
  draw();
  tellAge();
  if (!clock.recording) announce(`updated, as of ${wallTime(clock.as_of)}`);
}

function reload() {
  const place = { x: window.scrollX, y: window.scrollY, paused, symbol: pinned ? chosen : "", focus: tileOf(document.activeElement) };
  history.replaceState(null, "", `${location.pathname}${location.search}${PLACE}${encodeURIComponent(JSON.stringify(place))}`);
  location.reload();
}

/** After a reload: be where the reader was. */
function restore() {
  if (!location.hash.startsWith(PLACE)) return;
  try {
    const place = JSON.parse(decodeURIComponent(location.hash.slice(PLACE.length)));
    setPaused(place.paused === true);
    window.scrollTo(Number(place.x) || 0, Number(place.y) || 0);
    bySymbol.get(place.focus)?.link.focus({ preventScroll: true });
    if (bySymbol.has(place.symbol)) showPanel(place.symbol, true);
  } catch {
    // An address somebody shortened: start at the top.
  }
  history.replaceState(null, "", location.pathname + location.search);
}

function setPaused(/** @type {boolean} */ value) {
  paused = value;
  byId("pause").title = paused ? "Resume refreshing" : "Pause refreshing";
  byId("pause").setAttribute("aria-pressed", String(paused));
}

/** Look at the clock: tell the page's age, and ask for a newer one when it is time. */
function look() {
  tellAge();
  if (!paused && !document.hidden && (clock.recording ? Date.now() : now()) >= nextAsk()) void refresh();
}
