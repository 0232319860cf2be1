// Keeps the figures fresh, and says when they are old.

/** @typedef {{opens: string, closes: string, phase: string}} TradingWindow */
/** @typedef {{as_of: string, generated_at: string, time_zone: string, phase: string, session_date: string | null,
    windows: TradingWindow[], settles: string | null, next_open: string | null, next_regular_open: string | null,
    calendar_end: string | null, interval_minutes: number,
    refresh_seconds: number, recording: boolean}} Clock */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SLOW = 2 * MINUTE; // a smaller error of the reader's clock does not matter
const LOOK = 15_000; // how often the page looks at its own age
const PLACE = "#heatmap:"; // what a reload must not lose, beside the state, travels in the address

const readClock = (/** @type {Document} */ page) => /** @type {Clock} */ (readJson(page, "heatmap-clock"));
const scriptOf = (/** @type {Document} */ page) => page.querySelector('meta[name="heatmap-script"]')?.getAttribute("content");

let clock = readClock(document);
// When the page was made, and when it came, by a clock that nobody sets.
let [madeAt, arrivedAt] = [Date.parse(clock.generated_at), performance.now()];
/** The earliest that it can be now: a page does not come before it is made. */
const earliest = () => madeAt + performance.now() - arrivedAt;
/** The time by the reader's clock, unless that is slow: then the earliest that it can be. */
const wall = () => Math.max(Date.now(), earliest());
let received = Date.now();
let asked = wall(); // when a newer page was last asked for
let paused = false;
let asking = false;
const patience = 5000 + Math.random() * 20_000; // all readers' pages must not ask in the same second

/** The time: a recording runs on the recorded day's own clock. */
const now = () => (clock.recording ? Date.parse(clock.generated_at) + Date.now() - received : wall());
const time = (/** @type {string | null} */ iso) => (iso === null ? NaN : Date.parse(iso));
/** A day and a time, as the page's own are written: "17 Sep, 16:00". British browsers have "Sept". */
const dayAndTime = (/** @type {string} */ iso, /** @type {string} */ timeZone, year = false) => new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: year ? "numeric" : undefined, hour: "2-digit", minute: "2-digit", timeZone,
}).format(Date.parse(iso)).replace("Sept", "Sep");
/** A moment in words, with the year where it is not this one. */
const wallTime = (/** @type {string} */ iso) =>
  dayAndTime(iso, clock.time_zone, !iso.startsWith(String(new Date(now()).getFullYear())));

/** How much trading time lies between two moments, in milliseconds. */
const tradingTime = (/** @type {number} */ from, /** @type {number} */ to) => clock.windows.reduce((sum, window) =>
  sum + Math.max(Math.min(to, time(window.closes)) - Math.max(from, time(window.opens)), 0), 0);

/** Whether the figures are older than a page that is kept up could show. */
function isOld() {
  const limit = (2 * clock.interval_minutes + 2) * MINUTE;
  const [at, asOf, made] = [now(), time(clock.as_of), time(clock.generated_at)];
  if (at - time(clock.next_regular_open) > limit) return true;
  if (clock.phase === "final") return false;
  if (!clock.windows.length) return clock.phase !== "closed" && at - asOf > limit;
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
  const next = time(clock.next_regular_open);
  const regular = asked + clock.refresh_seconds * 1000;
  if (clock.recording) return location.protocol === "file:" ? Infinity : regular;
  const over = clock.phase === "final" || clock.phase === "closed" || at > time(clock.settles) + HOUR;
  if (!over || at >= next) return regular;
  // Before it a session whose hours are not known may begin, or one that the calendar does not have.
  const sooner = clock.next_open === null ? asked + HOUR : Infinity;
  return Math.max(regular, Math.min(sooner, next + patience || Infinity));
}

/** By how many milliseconds the reader's clock is slow, at least; 0 where that does not matter. */
function slowness() {
  const behind = clock.recording ? 0 : earliest() - Date.now();
  return behind > SLOW ? behind : 0;
}

/** A time in words, from milliseconds: minutes, hours from 90 minutes, days from 48 hours. */
function inUnits(/** @type {number} */ milliseconds) {
  const minutes = Math.max(Math.round(milliseconds / MINUTE), 0);
  const [count, unit] = minutes < 90 ? [minutes, "minute"]
    : minutes < 48 * 60 ? [Math.round(minutes / 60), "hour"] : [Math.round(minutes / 1440), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** How old the figures are, in words; where the reader's clock is slow, how old they are at least. */
function age() {
  return `${slowness() ? "at least " : ""}${inUnits(now() - time(clock.as_of))} old`;
}

function tellAge() {
  byId("age").textContent = ` · ${age()}`;
  const notice = byId("old");
  const old = isOld();
  const slow = slowness();
  const over = now() >= time(clock.settles) && !(now() >= time(clock.next_regular_open));
  if (old) {
    notice.textContent = `These figures are old: they are of ${wallTime(clock.as_of)}, and ${
      over ? "the closing prices have not arrived" : "the page has not been updated since"}.`;
  }
  else if (slow) {
    notice.textContent = `The clock of this device is slow, by about ${inUnits(slow)} or more: how old these figures are is not known. They are of ${wallTime(clock.as_of)}.`;
  }
  notice.hidden = !old && !slow;
  // The phase was true when the page was made, which may be long ago. In the replay another word stands in its place.
  if (!document.getElementById("replay")) /** @type {HTMLElement} */ (document.querySelector(".phase")).hidden = !notice.hidden;
  byId("ended").hidden = !(old && now() >= time(clock.calendar_end));
}

async function refresh() {
  if (asking) return;
  asking = true;
  asked = wall();
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
    const fresh = readClock(page);
    if (!started && fresh.generated_at !== clock.generated_at) return reload();
    if (!started) return announce("");
    await later.renew?.(fresh.as_of);
    try {
      swap(page);
    } catch (error) {
      console.error(error);
      reload(); // the newer page as it was published
    }
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
  if (time(clock.generated_at) > earliest()) [madeAt, arrivedAt] = [time(clock.generated_at), performance.now()];
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
  const place = { x: window.scrollX, y: window.scrollY, paused, ...(started && { symbol: pinned ? chosen : "", focus: tileOf(document.activeElement) }) };
  replaceAddress(`${location.pathname}${location.search}${PLACE}${encodeURIComponent(JSON.stringify(place))}`);
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
  replaceAddress(location.pathname + location.search);
}

function setPaused(/** @type {boolean} */ value) {
  paused = value;
  byId("pause").title = paused ? "Resume refreshing" : "Pause refreshing";
  byId("pause").setAttribute("aria-pressed", String(paused));
}

/** Look at the clock: tell the page's age, and ask for a newer one when it is time. */
function look() {
  tellAge();
  if (!paused && !document.hidden && wall() >= nextAsk()) void refresh();
}

tellAge();
setInterval(look, Math.min(LOOK, clock.refresh_seconds * 500));
document.addEventListener("visibilitychange", look);
