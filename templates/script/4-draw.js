// The map as it was chosen: which stocks, in which order, in which colours, in which layout.

/**
 * How the chosen mode shades its values: by the scale that was asked for, or the first that it has. Where none was asked for, a
 * treemap shades by value: in large tiles a small loss by rank looks like a crash.
 */
function scaleOf(/** @type {Picked} */ { scales }) {
  const wanted = state.heat || (state.layout === "treemap" ? "1" : data.heat);
  return scales.find((scale) => scale.name === wanted) ?? scales[0];
}

const labelOf = (/** @type {string} */ id, /** @type {string} */ value) =>
  [...byId(id).querySelectorAll("option")].find((option) => option.value === value)?.textContent ?? value;

/** The tiles in the reading's order. */
function tilesOf(/** @type {Picked} */ reading) {
  const { ramp } = data.modes[reading.mode];
  const scale = scaleOf(reading);
  const packed = typeof scale.shades === "string";
  const shades = typeof scale.shades === "string" ? falling(scale.shades) : scale.shades; // as negative numbers: a ramp begins with the highest value
  const colours = rampOf(ramp === "two-sided" ? state.palette : ramp);
  // The page came with the exact gradient of its own scale: there is none nearer.
  const own = packed && reading.mode === "change" && reading.over === "1d" && state.palette === data.palette && scale.name === data.heat;
  const [fill, ink] = data.unknown;
  return reading.order.map((stock, place) => {
    const known = place < reading.texts.length;
    // Too few values for a percentile have no shade.
    const colour = known && (own ? stock : colours[-shades[place]]) || { fill, ink };
    return { stock, known, text: known ? reading.texts[place] : "–", number: reading.numbers[place], fill: colour.fill, ink: colour.ink };
  });
}

/** The tiles in the order the reader asked for. */
function sorted(/** @type {Tile[]} */ tiles) {
  if (state.sort === "symbol") return [...tiles].sort((a, b) => (a.stock.symbol < b.stock.symbol ? -1 : 1));
  if (state.sort === "mode" && !later.holds) return tiles;
  const byStock = new Map(tiles.map((tile) => [tile.stock, tile]));
  return readingOf(state.sort === "mode" ? "change" : state.sort, state.period).order.map((stock) => /** @type {Tile} */ (byStock.get(stock)));
}

/** Whether a stock is one of the chosen sector or watchlist. */
function isIn(/** @type {Stock} */ stock) {
  if (state.sector === WATCHLIST) return watched().has(stock.symbol);
  return !state.sector || data.sectors[sectorOf[stock.place]] === state.sector;
}

/** Whether what is chosen is of the history, and not there yet. */
const isComing = () => !data.modes[state.mode] || !data.periods[state.period];

let drawn = ["change", "1d"]; // the mode and period that were drawn last
let shown = readingOf("change", "1d"); // the reading that is on the map
let tiles = /** @type {Tile[]} */ ([]); // in the order drawn

function draw() {
  const focused = tileOf(document.activeElement);
  const [left, top] = [window.scrollX, window.scrollY];
  if (isComing() || state.at) summon();
  if (!isComing()) drawn = [state.mode, state.period];
  else if (drawn.some((name) => !data.modes[name] && !data.periods[name])) drawn = ["change", "1d"];
  shown = later.reading?.() ?? readingOf(drawn[0], drawn[1]);
  tiles = sorted(tilesOf(shown)).filter(({ stock }) => isIn(stock));
  const layout = layouts[state.layout](tiles, shown);
  if (state.layout !== "sectors") layout.setAttribute("aria-labelledby", "caption");
  byId("map").replaceChildren(layout);
  mark();
  caption();
  for (const id of SELECTS) /** @type {HTMLSelectElement} */ (byId(id)).value = state[id];
  legend();
  document.documentElement.dataset.theme = state.theme;
  window.scrollTo(left, top);
  const again = bySymbol.get(focused)?.link;
  if (again?.isConnected) again.focus({ preventScroll: true });
  later.drawn?.();
  if (chosen) showPanel(chosen, pinned);
}

/** Mark what was searched for and what is watched, and let the keyboard in by one tile. */
function mark() {
  const words = state.q.trim().toLowerCase();
  const watch = watched();
  let hits = 0;
  for (const { stock } of tiles) {
    const element = /** @type {HTMLElement} */ (stock.link.parentElement);
    const hit = words !== "" && `${stock.symbol} ${stock.name}`.toLowerCase().includes(words);
    hits += Number(hit);
    element.classList.toggle("hit", hit);
    element.classList.toggle("watched", watch.has(stock.symbol));
    stock.link.tabIndex = -1;
  }
  byId("map").classList.toggle("searching", words !== "");
  byId("found").textContent = words === "" ? "" : `${hits} found`;
  const entry = bySymbol.get(chosen) ?? tiles[0]?.stock;
  if (entry) entry.link.tabIndex = 0;
}

/** Say what is shown, in what unit, since when, and what it cannot show. */
function caption() {
  const mode = data.modes[shown.mode];
  const since = data.periods[shown.over]?.since;
  const over = shown.mode === "range" ? (shown.over === "1y" ? "52 weeks" : "1 day") : labelOf("period", shown.over);
  const parts = [labelOf("mode", shown.mode), over + (since ? ` since ${since}` : "")];
  if (state.layout === "treemap") parts.push(`area: ${labelOf("area", state.area).toLowerCase()}`);
  if (isComing()) parts.push("loading the history …");
  else if (mode.periods && shown.over !== state.period) parts.push(`${shown.over !== "1d" ? "" : mode.periods.length > 1 ? "of the day, " : "always today's, "}whatever the period`);
  const missing = shown.order.length - shown.texts.length;
  if (missing === shown.order.length) parts.push(`not available: ${data.unavailable?.[`${shown.mode} ${shown.over}`] ?? `the source does not give ${mode.needs}`}`);
  else if (missing) parts.push(`${missing} not known`);
  if (!tiles.length) parts.push("none chosen");
  byId("caption").textContent = parts.join(" · ");
  const order = state.layout === "treemap" ? "Grouped by sector, the largest first." : state.sort === "mode" ? `Sorted by ${parts[0].toLowerCase()}.` : `Sorted by ${labelOf("sort", state.sort).toLowerCase()}.`;
  byId("order").textContent = order;
}

/** Show what the colours stand for, and which shades there are to choose from. */
function legend() {
  const { ramp, swatches, unit } = data.modes[shown.mode];
  const scale = scaleOf(shown);
  const colours = rampOf(ramp === "two-sided" ? state.palette : ramp);
  const swatch = (/** @type {number} */ shade) => {
    const element = make("i");
    element.style.background = colours[shade].fill;
    return element;
  };
  const ends = rampOf(state.palette);
  document.querySelectorAll(".bar i").forEach((part, place) => {
    /** @type {HTMLElement} */ (part).style.background = ends[place ? ends.length - 1 : 0].fill; // what rose, what fell
  });
  const low = scale.low || (ramp === "two-sided" ? "falling" : "low");
  const high = scale.high || (ramp === "two-sided" ? "rising" : "high");
  byId("legend").replaceChildren(make("span", "", low), ...swatches.map(swatch), make("span", "", withUnit(high, unit) + (scale.name === "rank" ? ", by rank" : "")));
  const options = shown.scales.map(({ name, high: limit }) => {
    const words = { rank: "By rank", percentile: "By percentile" }[name] ?? `±${limit.replace("+", "")} ${unit}`;
    return new Option(words, name);
  });
  const heat = /** @type {HTMLSelectElement} */ (byId("heat"));
  heat.replaceChildren(...options);
  heat.disabled = options.length < 2;
  heat.value = scale.name;
}
