// @ts-check
"use strict";
/* The page's script: keeps the figures fresh, says when they are old, and opens a panel on a stock.
   Every number comes from the page; nothing is computed here but time. */
(() => {
  /** @typedef {{opens: string, closes: string, phase: string}} TradingWindow */
  /** @typedef {{as_of: string, generated_at: string, time_zone: string, phase: string, session_date: string | null,
      windows: TradingWindow[], settles: string | null, next_open: string | null, interval_minutes: number,
      refresh_seconds: number, recording: boolean}} Clock */

  const MINUTE = 60_000;
  const HOUR = 60 * MINUTE;
  const TICK = 15_000; // how often the page looks at its own age
  const STATE = "#heatmap:"; // what a reload must not lose travels in the address

  const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const readClock = (/** @type {Document} */ page) =>
    /** @type {Clock} */ (JSON.parse(page.getElementById("heatmap-clock")?.textContent ?? "null"));
  const scriptOf = (/** @type {Document} */ page) =>
    page.querySelector('meta[name="heatmap-script"]')?.getAttribute("content");
  const cellOf = (/** @type {EventTarget | null} */ target) =>
    /** @type {HTMLTableCellElement | null} */ (target instanceof Element ? target.closest("td[data-symbol]") : null);
  const findCell = (/** @type {string} */ symbol) =>
    /** @type {HTMLTableCellElement | null} */ (document.querySelector(`td[data-symbol="${CSS.escape(symbol)}"]`));

  let clock = readClock(document);
  let received = Date.now();
  let asked = Date.now(); // when a newer page was last asked for
  let paused = false;
  let asking = false;
  let chosen = ""; // the symbol whose panel is open
  const patience = 5000 + Math.random() * 20_000; // all readers' pages must not ask in the same second
  let pinned = false; // opened by a tap: stays until the next one

  /** The time: a recording runs on the recorded day's own clock. */
  const now = () => (clock.recording ? Date.parse(clock.generated_at) + Date.now() - received : Date.now());
  const time = (/** @type {string | null} */ iso) => (iso === null ? NaN : Date.parse(iso));
  const wallTime = (/** @type {string} */ iso) =>
    new Intl.DateTimeFormat("en-GB", {
      day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: clock.time_zone,
    }).format(Date.parse(iso));

  // --- Age ---------------------------------------------------------------------------------------

  /** Whether the figures are older than a page that is kept up could show. */
  function isOld() {
    const limit = (2 * clock.interval_minutes + 2) * MINUTE;
    const [at, asOf, made] = [now(), time(clock.as_of), time(clock.generated_at)];
    for (const window of clock.windows) {
      const opens = time(window.opens);
      if (at >= opens && at < time(window.closes)) {
        // Prices stand still during the auction: there it is the page's own age that counts.
        const since = window.phase === "auction" ? made : asOf;
        return at - Math.max(since, opens) > limit;
      }
    }
    if (at - time(clock.next_open) > limit) return true;
    if (clock.phase === "unknown") return at - asOf > limit;
    const live = clock.phase === "open" || clock.phase === "auction" || clock.phase === "settling";
    return live && at - time(clock.settles) > limit;
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

  function tellAge() {
    const notice = byId("old");
    const old = isOld();
    const over = now() >= time(clock.settles) && !(now() >= time(clock.next_open));
    if (old) {
      notice.textContent = `These figures are old: they are of ${wallTime(clock.as_of)}, and ${
        over ? "the closing prices have not arrived" : "the page has not been updated since"}.`;
    }
    notice.hidden = !old;
    document.documentElement.classList.toggle("is-old", old);
  }

  // --- Refresh -----------------------------------------------------------------------------------

  const say = (/** @type {string} */ words) => { byId("status").textContent = words; };

  async function refresh() {
    if (asking) return;
    asking = true;
    asked = Date.now();
    try {
      if (location.protocol === "file:") return reload();
      const address = location.href.split("#")[0];
      let answer;
      try {
        answer = await fetch(address, { cache: "no-cache" });
      } catch {
        // Refused, or no network? Only where the server can be reached may a reload replace this page.
        try {
          await fetch(address, { cache: "no-cache", mode: "no-cors" });
        } catch {
          return say("connection lost, trying again");
        }
        return reload();
      }
      if (!answer.ok) return say("no newer page, trying again");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!scriptOf(page) || !readClock(page)) return say("no newer page, trying again");
      if (scriptOf(page) !== scriptOf(document)) return reload();
      swap(page);
    } finally {
      asking = false;
    }
  }

  /** Put the new figures in place of the old, and leave the reader where they were. */
  function swap(/** @type {Document} */ page) {
    const fresh = readClock(page);
    say("");
    if (fresh.generated_at === clock.generated_at) return; // and the page goes on ageing
    received = Date.now();
    const focused = cellOf(document.activeElement)?.dataset.symbol;
    const [left, top] = [window.scrollX, window.scrollY];
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = page.querySelector(`[data-live="${part.getAttribute("data-live")}"]`);
      if (other) part.replaceWith(document.adoptNode(other));
    }
    byId("heatmap-clock").textContent = page.getElementById("heatmap-clock")?.textContent ?? "";
    clock = fresh;
    quietTitles();
    if (focused) findCell(focused)?.querySelector("a")?.focus({ preventScroll: true });
    window.scrollTo(left, top);
    if (chosen) open(findCell(chosen), pinned);
    tellAge();
    if (!clock.recording) say(`updated, as of ${wallTime(clock.as_of)}`);
  }

  /** The panel takes the place of the browser's own tooltips, which are there for readers without script. */
  function quietTitles() {
    for (const link of document.querySelectorAll("td a[title]")) {
      const cell = cellOf(link);
      if (cell) cell.dataset.title = link.getAttribute("title") ?? "";
      link.removeAttribute("title");
    }
  }

  function reload() {
    const state = { x: window.scrollX, y: window.scrollY, paused, symbol: pinned ? chosen : "" };
    history.replaceState(null, "", STATE + encodeURIComponent(JSON.stringify(state)));
    location.reload();
  }

  /** After a reload: be where the reader was. */
  function restore() {
    if (!location.hash.startsWith(STATE)) return;
    try {
      const state = JSON.parse(decodeURIComponent(location.hash.slice(STATE.length)));
      setPaused(state.paused === true);
      window.scrollTo(Number(state.x) || 0, Number(state.y) || 0);
      if (typeof state.symbol === "string" && state.symbol) open(findCell(state.symbol), true);
    } catch {
      // An address somebody shortened: start at the top.
    }
    history.replaceState(null, "", location.href.split("#")[0]);
  }

  function setPaused(/** @type {boolean} */ value) {
    paused = value;
    const words = paused ? "Resume refreshing" : "Pause refreshing";
    for (const name of ["aria-label", "title"]) byId("pause").setAttribute(name, words);
    byId("pause").setAttribute("aria-pressed", String(paused));
  }

  function tick() {
    tellAge();
    if (!paused && !document.hidden && (clock.recording ? Date.now() : now()) >= nextAsk()) void refresh();
  }

  // --- Panel -------------------------------------------------------------------------------------

  /** Show what is known of a stock beside its cell; `stay` until it is closed. */
  function open(/** @type {HTMLTableCellElement | null} */ cell, stay = false) {
    document.querySelector("td.chosen")?.classList.remove("chosen");
    const panel = byId("panel");
    if (!cell) return close();
    const { symbol = "", sector, day, title = "" } = cell.dataset;
    const words = title.split("\n");
    const figures = words.pop() ?? "";
    const link = /** @type {HTMLAnchorElement} */ (cell.querySelector("a"));
    const line = (/** @type {string} */ words, quiet = false) => {
      const part = document.createElement("p");
      part.textContent = words;
      part.className = quiet ? "quiet" : "";
      return part;
    };
    const heading = document.createElement("b");
    heading.textContent = symbol;
    panel.replaceChildren(heading, ...words.map((name) => line(name)));
    if (sector) panel.append(line(sector, true));
    panel.append(line(`${figures}  ${cell.querySelector("span")?.textContent} %`));
    if (day) panel.append(line(`Day ${day}`, true));
    if (stay) {
      const chart = /** @type {HTMLAnchorElement} */ (link.cloneNode(false));
      chart.textContent = "Open the chart";
      panel.append(chart);
    }
    chosen = symbol;
    pinned = stay;
    cell.classList.add("chosen");
    panel.classList.toggle("pinned", stay);
    panel.hidden = false;
    const box = cell.getBoundingClientRect();
    const below = box.bottom + panel.offsetHeight + 8 <= window.innerHeight;
    const top = below ? box.bottom + 6 : box.top - panel.offsetHeight - 6;
    panel.style.top = `${Math.max(4, Math.min(top, window.innerHeight - panel.offsetHeight - 4))}px`;
    panel.style.left = `${Math.max(4, Math.min(box.left, document.documentElement.clientWidth - panel.offsetWidth - 4))}px`;
  }

  function close() {
    document.querySelector("td.chosen")?.classList.remove("chosen");
    byId("panel").hidden = true;
    chosen = "";
    pinned = false;
  }

  function listen() {
    let touch = false;
    document.addEventListener("pointerdown", (event) => {
      touch = event.pointerType === "touch";
    });
    document.addEventListener("mouseover", (event) => {
      if (!touch && !pinned) open(cellOf(event.target));
    });
    document.addEventListener("focusin", (event) => {
      if (!touch && cellOf(event.target)) open(cellOf(event.target));
    });
    document.addEventListener("focusout", () => {
      if (!pinned) close();
    });
    document.addEventListener("click", (event) => {
      const cell = cellOf(event.target);
      if (!cell && event.target instanceof Node && !byId("panel").contains(event.target)) close();
      if (!cell || !touch) return;
      event.preventDefault(); // a finger cannot hover: the first tap shows, the panel leads on
      open(cell, true);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    window.addEventListener("scroll", () => { if (chosen && !pinned) close(); }, { passive: true });
    document.addEventListener("visibilitychange", tick);
    byId("pause").addEventListener("click", () => { setPaused(!paused); tick(); });
    byId("refresh").addEventListener("click", () => void refresh());
  }

  const theme = new URLSearchParams(location.search).get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  byId("tools").hidden = false;
  quietTitles();
  listen();
  restore();
  tellAge();
  setInterval(tick, Math.min(TICK, clock.refresh_seconds * 500));
  if (window.parent !== window) {
    new ResizeObserver(() => {
      window.parent.postMessage({ type: "market-heatmap:height", height: document.documentElement.offsetHeight }, "*");
    }).observe(document.documentElement);
  }
})();
