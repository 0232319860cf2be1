// The panel: what is known of a stock, and how its value, its shade and its place came about.

let chosen = ""; // the symbol whose panel is open
let pinned = false; // opened by a tap: it stays until the next one

const DWELL = 300; // milliseconds for which a panel is looked at before its lines are fetched

const tileOf = (/** @type {EventTarget | null} */ target) =>
  target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest("[data-symbol]"))?.dataset.symbol ?? "" : "";

/** How a stock stands in the reading shown: percentile, z, and how its shade came about. */
function standing(/** @type {Stock} */ stock) {
  const place = shown.order.indexOf(stock);
  const count = shown.texts.length;
  const mode = data.modes[shown.mode];
  const doubt = data.doubts?.[shown.over]?.[stock.symbol];
  if (place >= count) return [`${labelOf("mode", shown.mode)}: not known`, doubt ?? `It takes ${mode.needs}.`];
  const lines = [withUnit(`${labelOf("mode", shown.mode)} ${shown.texts[place]}`, mode.unit)];
  if (shown.percentiles) {
    // The z of a percent change is the relative strength; that and the sector's are scores themselves.
    const scores = shown.mode === "change" ? data.readings[`rs ${shown.over}`].values : shown.scores || shown.values;
    const score = falling(scores)[place] / 100;
    const percentile = ((falling(shown.percentiles)[place] / count) * 50).toFixed(1);
    lines.push(`percentile ${percentile} · z ${write(score, Math.abs(score).toFixed(2), true)} · of ${count} stocks`);
  }
  const { name, low, high, clipped } = scaleOf(shown);
  const [ups, downs] = [1, -1].map((side) => shown.numbers.filter((number) => number * side > 0).length);
  const rank = place < ups ? `${place + 1} of ${ups} up` : place < count - downs ? "neither up nor down" : `${place - count + downs + 1} of ${downs} down`;
  if (name === "rank") lines.push(`Shade by rank: ${rank}`);
  else if (name === "percentile") lines.push("Shade by percentile");
  else lines.push(`Shade from ${low} to ${high} ${mode.unit}${place < clipped[0] || place >= count - clipped[1] ? ", clipped" : ""}`);
  if (doubt) lines.push(doubt);
  return lines;
}

/** Show what is known of a stock beside its tile; `stay` until it is closed. */
function showPanel(/** @type {string} */ symbol, stay = false) {
  hidePanel();
  const stock = bySymbol.get(symbol);
  const tile = stock?.link.parentElement;
  if (!stock || !tile?.isConnected) return;
  const { place, link } = stock;
  const line = (/** @type {string} */ words, className = "") => make("p", className, words);
  const [value, ...how] = standing(stock);
  const from = (/** @type {string} */ words, /** @type {string} */ low, /** @type {string} */ high) =>
    low && high ? [line(`${words} ${low} to ${high}`)] : [];
  const volume = unpack(data.volumes)[place];
  const cap = falling(data.caps)[ordered(data.by_cap).indexOf(stock)];
  const facts = [
    ...(volume ? [`Volume ${large(fromThreeDigits(volume - 1))} shares`] : []),
    ...(cap === undefined ? [] : [`Free float ${money(fromThreeDigits(cap))}`]),
  ];
  const panel = byId("panel");
  panel.replaceChildren(
    make("b", "", symbol), line(stock.name, "strong"),
    line(data.sectors[sectorOf[place]] ?? ""),
    line([later.price?.(stock) ?? priceOf(stock, "last"), stock.percent && `${stock.text} %`].filter(Boolean).join("  "), "strong"),
    ...(state.at ? [] : from("Day", priceOf(stock, "low"), priceOf(stock, "high"))), ...from("52 weeks", priceOf(stock, "year_low"), priceOf(stock, "year_high")),
    ...(state.at ? [] : facts.map((fact) => line(fact))),
    ...(shown.mode === "change" && shown.over === "1d" ? [] : [line(value, "strong")]), ...how.map((words) => line(words)),
  );
  for (const part of [...panel.children]) if (!part.textContent) part.remove();
  later.panel?.(stock, panel);
  if (stay) {
    const chart = /** @type {HTMLAnchorElement} */ (link.cloneNode(false));
    chart.textContent = "Open the chart";
    chart.removeAttribute("aria-describedby");
    chart.tabIndex = 0;
    const pin = make("button", "", watched().has(symbol) ? "Take off the watchlist" : "Watch");
    pin.addEventListener("click", () => watch(symbol));
    panel.append(make("div", "", chart, pin));
  }
  [chosen, pinned] = [symbol, stay];
  if (data.history && !data.sparks) setTimeout(() => { if (chosen === symbol) summon(true); }, DWELL);
  tile.classList.add("chosen");
  panel.classList.toggle("pinned", stay);
  panel.hidden = false;
  link.setAttribute("aria-describedby", "panel");
  const edge = tile.getBoundingClientRect();
  const below = edge.bottom + panel.offsetHeight + 8 <= window.innerHeight;
  const top = below ? edge.bottom + 6 : edge.top - panel.offsetHeight - 6;
  panel.style.top = `${Math.max(4, Math.min(top, window.innerHeight - panel.offsetHeight - 4))}px`;
  panel.style.left = `${Math.max(4, Math.min(edge.left, document.documentElement.clientWidth - panel.offsetWidth - 4))}px`;
}

function hidePanel() {
  const stock = bySymbol.get(chosen);
  stock?.link.parentElement?.classList.remove("chosen");
  stock?.link.removeAttribute("aria-describedby");
  byId("panel").hidden = true;
  [chosen, pinned] = ["", false];
}

/** Put a stock on the watchlist, or take it off. */
function watch(/** @type {string} */ symbol) {
  const list = watched();
  if (!list.delete(symbol)) list.add(symbol);
  choose({ watch: [...list].join(",") });
  announce(`${symbol} is ${list.has(symbol) ? "on" : "off"} the watchlist`);
}
