// What the reader has chosen. It lives in the page's address, so that a link shows what its sender saw.

/** @typedef {{mode: string, period: string, layout: string, theme: string, palette: string, heat: string, sort: string,
    area: string, sector: string, q: string, watch: string, at: string}} State */

const WATCHLIST = "watchlist";
const SELECTS = /** @type {const} */ (["mode", "period", "layout", "sector", "palette", "heat", "sort", "area", "theme"]);

const offered = (/** @type {"modes" | "periods"} */ what) =>
  (data.history?.[what] ?? []).flatMap(([name, , reason]) => (reason ? [] : name));

/** What is shown where the address says nothing, and what else each key may be; null: any text. */
const choices = () => /** @type {Record<string, [string, string[] | null]>} */ ({
  mode: ["change", [...Object.keys(data.modes), ...offered("modes")]],
  period: ["1d", [...Object.keys(data.periods), ...offered("periods")]],
  layout: ["table", ["table", "sectors", "treemap", "bars"]],
  theme: ["", ["", "light", "dark"]],
  palette: [data.palette, Object.keys(data.palettes).filter((name) => !Object.values(data.modes).some((mode) => mode.ramp === name))],
  heat: ["", ["", ...data.readings["change 1d"].scales.map((scale) => scale.name)]], // "": what the layout begins with
  sort: ["mode", ["mode", "symbol", "change", "amount"]],
  area: ["market-cap", ["market-cap", "amount", "equal"]],
  sector: ["", ["", WATCHLIST, ...data.sectors]],
  q: ["", null],
  watch: ["", null],
  at: ["", null], // the moment that is replayed
});

/** The state of an address, and a word on each value in it that is not known. */
function readState(/** @type {string} */ search) {
  const parameters = new URLSearchParams(search);
  /** @type {Record<string, string>} */
  const found = {};
  const unknown = [];
  for (const [key, [usual, allowed]] of Object.entries(choices())) {
    const value = (parameters.get(key) ?? usual).slice(0, 4000);
    const fits = !allowed || allowed.includes(value);
    found[key] = fits ? value : usual;
    const lists = /** @type {Record<string, any>} */ (data.history ?? {});
    const later = lists[`${key}s`]?.find((/** @type {string[]} */ [name]) => name === value);
    if (!fits) unknown.push(later ? `${later[1]} is not available yet: ${later[2]}.` : `There is no ${key} “${value.slice(0, 40)}” here: this is ${usual || "the usual one"}.`);
  }
  return { state: /** @type {State} */ (found), unknown };
}

/** The query of the state: what is not as usual. Parameters that are none of ours stay. */
function query(keys = Object.keys(choices())) {
  const parameters = new URLSearchParams(location.search);
  parameters.delete("market");
  for (const [key, [usual]] of Object.entries(choices())) {
    const value = state[/** @type {keyof State} */ (key)];
    if (value === usual || !keys.includes(key)) parameters.delete(key);
    else parameters.set(key, value);
  }
  return String(parameters) && `?${parameters}`;
}

const { state, unknown: unknownValues } = readState(location.search);
const watched = () => new Set(state.watch.split(",").filter(Boolean));

const REST = 400; // milliseconds: Safari lets a page write its address a hundred times in ten seconds
let [changedAt, writeTimer] = [-REST, 0]; // when the state changed last, and the timer that writes it

/** Write the state into the address: at once, or when a reader who changes it again and again rests. */
function writeAddress() {
  const write = () => replaceAddress((query() || location.pathname) + location.hash);
  clearTimeout(writeTimer);
  if (performance.now() - changedAt > REST) write();
  else writeTimer = setTimeout(write, REST);
  changedAt = performance.now();
}

/** Take over some choices, and draw them. Choices that cannot be drawn are taken back. */
function choose(/** @type {Partial<State>} */ changes) {
  const last = { ...state };
  Object.assign(state, changes);
  byId("notice").hidden = true;
  try {
    draw();
  } catch (error) {
    Object.assign(state, last);
    draw();
    throw error;
  }
  writeAddress();
}
