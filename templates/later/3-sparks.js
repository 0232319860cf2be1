// The lines in a stock's panel: its day, and its last sessions. How high each point is comes with them.

/** @typedef {{decimals: number, points: string[], first: string, low: string, high: string, last: string}} Lines */
/** @typedef {{height: number, day: Lines & {times: string[]}, sixty: Lines & {dates: string[]}}} Sparks */

const [WIDE, TALL] = [160, 28]; // pixels of a line
const SVG = "http://www.w3.org/2000/svg";

/** A price in words. */
const inWords = (/** @type {number} */ units, /** @type {number} */ decimals) => (units / 10 ** decimals).toLocaleString(locale(), {
  minimumFractionDigits: Math.min(decimals, 2), maximumFractionDigits: decimals,
  ...(data.prices.currency && { style: "currency", currency: data.prices.currency, currencyDisplay: "narrowSymbol" }),
});

/** @type {(tag: string, attributes: Record<string, string | number>) => Element} */
function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** A line with a dot at the point `at`, its last one if nothing else is said; null where there is none. */
function spark(/** @type {string} */ label, /** @type {Lines} */ lines, /** @type {number} */ place, at = -1) {
  const points = unpack(lines.points[place] ?? "");
  if (!data.sparks || points.length < 2) return null;
  const { height } = data.sparks;
  const x = (/** @type {number} */ step) => ((step / (points.length - 1)) * WIDE).toFixed(1);
  const y = (/** @type {number} */ point) => (TALL - ((point - 1) / height) * TALL).toFixed(1);
  let path = "";
  points.forEach((point, step) => {
    if (point) path += `${step && points[step - 1] ? "L" : "M"}${x(step)} ${y(point)}`;
  });
  const [first, below, above, change] = [lines.first, lines.low, lines.high, lines.last].map((column) => unpack(column)[place]);
  const words = (/** @type {number} */ units) => inWords(units, lines.decimals);
  const svg = shape("svg", {
    viewBox: `0 0 ${WIDE} ${TALL}`, role: "img",
    "aria-label": `${label}: first ${words(first)}, low ${words(first - below)}, high ${words(first + above)}, last ${words(first + signed(change))}`,
  });
  svg.append(shape("path", { d: path }));
  const dot = at >= 0 && at < points.length ? at : points.length - 1;
  if (points[dot]) svg.append(shape("circle", { cx: x(dot), cy: y(points[dot]), r: 2.5 }));
  return make("div", "spark", make("span", "", label), svg);
}

later.panel = (stock, panel) => {
  if (!data.sparks) return;
  const { day, sixty } = data.sparks;
  if (data.adjusted?.[shown.over] && unpack(data.adjusted[shown.over]).includes(stock.place)) {
    panel.append(make("p", "", data.guesses?.[shown.over]?.[stock.symbol] ?? "This period is adjusted for a split or bonus."));
  }
  const at = state.at ? day.times.indexOf(state.at.slice(-5)) : -1;
  const lines = [spark("Day", day, stock.place, at), spark(`${sixty.dates.length} sessions`, sixty, stock.place)];
  panel.append(...lines.filter((line) => line !== null));
};
