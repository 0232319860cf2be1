// The day replayed: a slider over its moments, which the map follows.

/** @typedef {{as_of: string, moments: string[], symbols: string[], sectors: string[], changes: string[], breadths: string[],
    groups: string[][], decimals: number, ticks: string, prices: string[],
    scales: {name: string, low: string, high: string, limit?: number, least?: string}[], ranks: Record<string, string>}} Replay */

const BEATS = 2; // moments a second at the usual speed
const SIDE = 65; // where a palette's shades of losses begin: after 64 of gains and the neutral one
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @type {Replay | null} */
let replay = null;
/** What its columns hold, unpacked: by stock, by moment. */
let columns = { changes: /** @type {(number | null)[][]} */ ([]), prices: /** @type {(number | null)[][]} */ ([]) };
let moment = 0;
let playing = 0; // the timer, while it plays
let follow = false; // whether tiles are sorted anew at each moment
let opening = false;
let before = /** @type {Partial<State>} */ ({}); // what was shown before
/** @type {Map<Element, Element>} */
const kept = new Map(); // parts of the page's head, as they are without replay

/** A stock's figures: steps from the last known one, 0 for none, else one more than the step. */
function figuresOf(/** @type {string} */ packed, tick = 1) {
  let last = 0;
  return unpack(packed).map((step) => {
    if (!step) return null;
    last += signed(step - 1);
    return last * tick;
  });
}

async function loadReplay() {
  const found = /** @type {Replay} */ (await (await ask("replay.json")).json());
  const at = replay?.moments[moment];
  replay = found;
  const ticks = unpack(found.ticks);
  columns = {
    changes: found.changes.map((packed) => figuresOf(packed)),
    prices: found.prices.map((packed, place) => figuresOf(packed, ticks[place])),
  };
  if (at) moment = nearest(at);
}

/** The moment nearest to a time. */
function nearest(/** @type {string} */ wanted) {
  const moments = replay?.moments ?? [];
  const away = moments.map((at) => Math.abs(Date.parse(at) - Date.parse(wanted)));
  return away.some(Number.isNaN) ? moments.length - 1 : away.indexOf(Math.min(...away));
}

async function openReplay() {
  if (byIdOrNull("replay") || opening) return;
  opening = true;
  try {
    if (!replay) await loadReplay();
  } catch {
    return giveUp();
  } finally {
    opening = false;
  }
  if (!replay || !state.at) return; // the reader has left meanwhile
  const wanted = state.at;
  moment = wanted === "latest" ? replay.moments.length - 1 : nearest(wanted);
  const { mode, period } = state;
  before = { mode, period };
  byId("notice").after(bar());
  Object.assign(state, { mode: "change", period: "1d", at: replay.moments[moment] });
  draw();
  writeAddress();
  if (wanted !== "latest" && wanted !== state.at) tell(`There is no moment “${wanted.slice(0, 40)}” here: this is ${inFull(state.at)}.`);
  if (wanted === "latest") byId("moment").focus(); // who follows a link keeps their place
  if (!data.sparks && data.history) attend(true);
}

/** A day and a time in words. */
const inFull = (/** @type {string} */ at) => dayAndTime(`${at}Z`, "UTC");

const byIdOrNull = (/** @type {string} */ id) => document.getElementById(id);

const ICONS = { play: "M4 2.500l9 5.500-9 5.500z", pause: "M4 3h3v10H4zM9 3h3v10H9z", back: "M3 3h2v10H3zM13 3v10L6 8z", on: "M11 3h2v10h-2zM3 3v10l7-5z" };

/** @type {(name: string, icon: keyof typeof ICONS, act: () => void) => HTMLElement} */
function iconButton(name, icon, act) {
  const button = make("button");
  const svg = shape("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  svg.append(shape("path", { d: ICONS[icon] }));
  button.append(svg);
  button.title = name;
  button.addEventListener("click", act);
  return button;
}

function bar() {
  const slider = /** @type {HTMLInputElement} */ (make("input"));
  Object.assign(slider, { type: "range", id: "moment", min: "0", step: "1" });
  slider.setAttribute("aria-label", "Moment of the day");
  slider.addEventListener("input", () => { halt(false); go(Number(slider.value)); });
  slider.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    toggle();
  });
  const speed = /** @type {HTMLSelectElement} */ (make("select", "", ...[["0.5", "½×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]].map(([value, words]) => new Option(words, value))));
  speed.id = "speed";
  speed.value = calm ? "0.5" : "1";
  speed.setAttribute("aria-label", "Speed");
  speed.addEventListener("change", () => { if (playing) { halt(false); toggle(); } });
  const sorting = /** @type {HTMLInputElement} */ (make("input"));
  Object.assign(sorting, { type: "checkbox", id: "follow", checked: follow });
  sorting.addEventListener("change", () => { follow = sorting.checked; draw(); });
  const leave = make("button", "", document.querySelector(".archived") ? "Back to the close" : "Back to live");
  leave.id = "live";
  leave.addEventListener("click", () => choose({ at: "" }));
  const play = iconButton("Play", "play", toggle);
  play.id = "play";
  const strip = make("div", "",
    make("div", "steps", iconButton("Back one moment", "back", () => step(-1)), play, iconButton("On one moment", "on", () => step(1))),
    slider, Object.assign(make("time"), { id: "clock" }), speed, make("label", "", sorting, "Sort each moment"), leave,
    make("p", "hint", "A replay of the day, in percent change since the previous close."));
  strip.id = "replay";
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", "Replay");
  return strip;
}

/** Show a moment. The address follows when the reader has arrived, not with each that is passed. */
function go(/** @type {number} */ to) {
  if (!replay) return;
  moment = Math.max(0, Math.min(to, replay.moments.length - 1));
  state.at = replay.moments[moment];
  byId("notice").hidden = true;
  draw();
  if (!playing) writeAddress();
}

function step(/** @type {number} */ by) {
  halt(false);
  go(moment + by);
  arrive();
}

function toggle() {
  if (playing) return halt(true);
  if (!replay) return;
  if (moment === replay.moments.length - 1) moment = -1; // from the end it begins anew
  const speed = Number(/** @type {HTMLSelectElement} */ (byId("speed")).value);
  playing = window.setInterval(() => {
    if (!replay || moment >= replay.moments.length - 1) return halt(true);
    go(moment + 1);
  }, 1000 / (BEATS * speed));
  go(moment + 1);
}

/** Stand still; `arrived` where the moment is to be said. */
function halt(/** @type {boolean} */ arrived) {
  if (!playing) return;
  clearInterval(playing);
  playing = 0;
  if (!arrived) return;
  go(moment);
  arrive();
}

/** Say the moment, politely. */
function arrive() {
  const [up, down] = unpack(replay?.breadths[moment] ?? "");
  announce(`${inFull(state.at)}: ${up} up, ${down} down`);
}

/** Put everything back as it is now. */
function closeReplay() {
  halt(false);
  byIdOrNull("replay")?.remove();
  for (const [part, was] of kept) part.replaceWith(was);
  kept.clear();
  later.holds = false;
  for (const id of ["mode", "period"]) /** @type {HTMLSelectElement} */ (byId(id)).disabled = false;
  for (const stock of stocks) Object.assign(stock, live.get(stock));
  Object.assign(state, before, { at: "" });
  writeAddress();
  if (isComing()) attend(false);
  else drawn = [state.mode, state.period];
  byId("replay-button").setAttribute("aria-pressed", "false");
  announce("back to the newest figures");
}

/** @type {WeakMap<Stock, {percent: string, text: string}>} */
const live = new WeakMap(); // the percent changes of now, while others stand in their place

later.reading = () => {
  if (byIdOrNull("replay") && !state.at) closeReplay();
  if (!byIdOrNull("replay") || !replay) return null;
  later.holds = !follow;
  const now = readingOf("change", "1d");
  const { symbols, sectors, ranks } = replay;
  const places = new Map(symbols.map((symbol, place) => [symbol, place]));
  const changeOf = (/** @type {Stock} */ { symbol }) => columns.changes[places.get(symbol) ?? -1]?.[moment] ?? null;
  const known = /** @type {[Stock, number][]} */ (stocks.map((stock) => [stock, changeOf(stock)]).filter(([, change]) => change !== null));
  known.sort(([a, x], [b, y]) => y - x || (a.symbol < b.symbol ? -1 : 1));
  const numbers = known.map(([, change]) => change / 100);
  const texts = numbers.map((number) => inMode("change", number));
  known.forEach(([stock], place) => {
    if (!live.has(stock)) live.set(stock, { percent: stock.percent, text: stock.text });
    Object.assign(stock, { percent: String(numbers[place]), text: texts[place] });
  });
  const gains = numbers.filter((number) => number >= 0).length;
  const sides = [unpack(ranks[gains] ?? ""), unpack(ranks[numbers.length - gains] ?? "")];
  const scales = replay.scales.map(({ name, low, high, limit = 0, least = "" }) => {
    const bounds = falling(least);
    const shade = (/** @type {number} */ change) => {
      const found = bounds.findIndex((bound) => change >= bound);
      return found < 0 ? bounds.length : found;
    };
    const changes = known.map(([, change]) => change);
    return {
      name, clipped: /** @type {[number, number]} */ ([changes.filter((change) => change > limit).length, changes.filter((change) => change < -limit).length]),
      low: low || (gains < texts.length ? texts[texts.length - 1] : ""), high: high || (gains ? texts[0] : ""),
      shades: changes.map((change, place) => -(least ? shade(change) : place < gains ? sides[0][place] : sides[1][place - gains] + SIDE)),
    };
  });
  const found = new Map(replay.groups[moment].map((packed, place) => {
    const [median, up, down] = unpack(packed);
    return [sectors[place], { median: median ? signed(median - 1) / 100 : null, up, down }];
  }));
  const of = (/** @type {number} */ sector) => found.get(data.sectors[sector]);
  const groups = [...now.groups].sort((a, b) => Number(of(b)?.median !== null) - Number(of(a)?.median !== null)
    || (follow ? (of(b)?.median ?? 0) - (of(a)?.median ?? 0) : 0));
  return {
    ...now, order: [...known.map(([stock]) => stock), ...stocks.filter((stock) => changeOf(stock) === null)], numbers, texts, scales,
    percentiles: "", scores: "", groups, medians: groups.map((sector) => of(sector)?.median).filter((median) => typeof median === "number"),
    breadths: groups.flatMap((sector) => [of(sector)?.up ?? 0, of(sector)?.down ?? 0]),
  };
};

later.price = ({ symbol }) => {
  if (!replay || !byIdOrNull("replay")) return undefined;
  const units = columns.prices[replay.symbols.indexOf(symbol)]?.[moment];
  return units ? inWords(units, replay.decimals) : "";
};

/** A part of the page's head, to be changed while another moment is shown. */
function borrowed(/** @type {string} */ selector) {
  const part = /** @type {HTMLElement} */ (document.querySelector(selector));
  if (!kept.has(part)) {
    for (const gone of kept.keys()) if (!gone.isConnected) kept.delete(gone); // a refresh has replaced it
    kept.set(part, /** @type {Element} */ (part.cloneNode(true)));
  }
  return part;
}

later.drawn = () => {
  tellAdjusted();
  const strip = byIdOrNull("replay");
  if (!replay || !strip) return;
  const at = replay.moments[moment];
  const slider = /** @type {HTMLInputElement} */ (byId("moment"));
  slider.max = String(replay.moments.length - 1);
  slider.value = String(moment);
  // While it plays, a screen reader need not hear each moment.
  slider.setAttribute("aria-valuetext", playing ? "playing" : at.slice(-5));
  byId("clock").textContent = at.slice(-5);
  const play = byId("play");
  play.title = playing ? "Pause" : "Play";
  play.querySelector("path")?.setAttribute("d", ICONS[playing ? "pause" : "play"]);
  byId("replay-button").setAttribute("aria-pressed", "true");
  for (const id of ["mode", "period"]) /** @type {HTMLSelectElement} */ (byId(id)).disabled = true;
  const counts = unpack(replay.breadths[moment]);
  const head = borrowed(".breadth");
  const all = Math.max(counts[0] + counts[1] + counts[2], 1);
  head.querySelectorAll("b").forEach((count, place) => { count.textContent = String(counts[place]); });
  head.querySelectorAll("i").forEach((part, place) => { part.style.width = `${(counts[place] * 100) / all}%`; });
  Object.assign(borrowed(".phase"), { textContent: "Replay", hidden: false });
  borrowed(".times").textContent = `as of ${inFull(at)}`;
  byId("caption").textContent = `Percent change · 1 day · at ${at.slice(-5)}`;
  if (!follow && state.sort === "mode" && state.layout !== "treemap") byId("order").textContent = "In the order of the newest percent change.";
};
