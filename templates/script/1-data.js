// What the page holds: its stocks, and how each mode over each period orders, numbers and shades them.
// Every number was computed before the page was published; here it is unpacked and scaled.

/** @typedef {{symbol: string, link: HTMLAnchorElement, name: string, percent: string, fill: string, ink: string, place: number}} Stock */
/** @typedef {{name: string, low: string, high: string, clipped: [number, number], shades: string}} Scale */
/** @typedef {{order: string, decimals: number, values: string, percentiles: string, scores: string, scales: Scale[],
    groups: string, medians: string, breadths: string}} Reading */
/** @typedef {{unit: string, ramp: string, centre: number, signed: boolean, needs: string, periods: string[] | null, swatches: number[]}} Mode */
/** @typedef {{sectors: string, maps: [number, string, string][]}} Treemap */
/** @typedef {{palette: string, heat: string, palettes: Record<string, string[]>, unknown: [string, string], modes: Record<string, Mode>,
    periods: Record<string, {since: string}>, readings: Record<string, Reading>, sectors: string[], sector: string, volumes: string,
    caps: string, by_cap: string, large: string, columns: number, treemaps: Record<string, Treemap>, market: string, up: string, public_url: string | null,
    prices: {decimals: number, currency: string | null, ticks: string}}} Data */

const MINUS = "\u2212";
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** @type {<T>(page: Document, id: string) => T} */
const readJson = (page, id) => JSON.parse(page.getElementById(id)?.textContent ?? "null");
/** @type {<T extends HTMLElement>(id: string) => T} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** The numbers of a base64 VLQ: five bits a digit, lowest first. */
function unpack(/** @type {string} */ text) {
  const numbers = [];
  let [number, weight] = [0, 1];
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    number += (digit & 31) * weight;
    weight *= 32;
    if (digit < 32) {
      numbers.push(number);
      [number, weight] = [0, 1];
    }
  }
  return numbers;
}

/** What a number of 0 or more stands for where there are negative ones. */
const signed = (/** @type {number} */ number) => (number % 2 ? -(number + 1) / 2 : number / 2);

/** A falling sequence: its first number, then by how much each is less. */
function falling(/** @type {string} */ text) {
  let last = 0;
  return unpack(text).map((number, place) => (last = place ? last - number : signed(number)));
}

/** The stocks in an order: their places, as base64 of as many bits each as the last place needs. */
function ordered(/** @type {string} */ text) {
  const width = Math.max(1, 32 - Math.clz32(stocks.length - 1));
  let [bits, count, letter] = [0, 0, 0];
  return stocks.map(() => {
    for (; count < width; count += 6) bits = (bits << 6) | DIGITS.indexOf(text[letter++]);
    count -= width;
    const place = bits >> count;
    bits &= (1 << count) - 1;
    return stocks[place];
  });
}

/** The stocks of a page in its order, from the cells of its table. */
function readStocks(/** @type {Document} */ page) {
  return [...page.querySelectorAll("td[data-symbol]")].map((cell, place) => {
    const link = /** @type {HTMLAnchorElement} */ (cell.querySelector("a"));
    const { background: fill, color: ink } = /** @type {HTMLElement} */ (cell).style;
    const stock = {
      symbol: cell.getAttribute("data-symbol") ?? "", percent: cell.getAttribute("data-percent-change") ?? "",
      name: link.title, link, fill, ink, place,
    };
    link.removeAttribute("title"); // the panel takes its place: a title is for readers without script
    return /** @type {Stock} */ (stock);
  });
}

let data = /** @type {Data} */ (readJson(document, "heatmap-data"));
let stocks = readStocks(document);
let bySymbol = new Map(stocks.map((stock) => [stock.symbol, stock]));
let sectorOf = unpack(data.sector);

/** A number with its sign: true minus, and a plus where it is asked for. */
function write(/** @type {number} */ number, /** @type {string} */ size, plus = false) {
  return (number < 0 ? MINUS : plus && number > 0 ? "+" : "") + size;
}

/** A price of a stock in words, or with "moved" how far it has moved; "" where it is not known. */
function priceOf(/** @type {Stock} */ stock, /** @type {string} */ which) {
  const { decimals, currency, ticks } = data.prices;
  const numberOf = (/** @type {string} */ name) => {
    const number = signed(unpack(/** @type {any} */ (data.prices)[name])[stock.place]);
    return number > 0 ? number - 1 : number || NaN;
  };
  // All but the last price are given by how far below it they are.
  const number = which === "moved" ? numberOf("close") : numberOf("last") - (which === "last" ? 0 : numberOf(which));
  if (Number.isNaN(number)) return "";
  const amount = (number * unpack(ticks)[stock.place]) / 10 ** decimals;
  const size = Math.abs(amount).toLocaleString(currency === "INR" ? "en-IN" : "en-US", {
    minimumFractionDigits: Math.min(decimals, 2), maximumFractionDigits: decimals,
    ...(currency && { style: "currency", currency, currencyDisplay: "narrowSymbol" }),
  });
  return write(amount, size, which === "moved");
}

/** The reading of a mode: over the period, or where the mode has none of it over the first that it has. */
function readingOf(/** @type {string} */ mode, /** @type {string} */ period) {
  const { periods } = data.modes[mode];
  const over = periods && !periods.includes(period) ? periods[0] : period;
  const reading = data.readings[`${mode} ${over}`];
  const { decimals, values } = reading;
  const inWords = data.modes[mode].unit === data.large; // amounts, which differ too much for one number of decimals
  const words = inWords ? values.split("|").filter(Boolean) : [];
  const numbers = inWords ? words.map((text) => Number(text.replaceAll(",", ""))) : falling(values).map((value) => value / 10 ** decimals);
  const texts = inWords ? words : numbers.map((value) => write(value, Math.abs(value).toFixed(decimals), data.modes[mode].signed));
  return { ...reading, mode, over, order: ordered(reading.order), numbers, texts };
}

/** The fills of a palette, and the inks readable on them, by shade. */
function rampOf(/** @type {string} */ palette) {
  const [reds, greens, blues, inks] = data.palettes[palette].map((column) => {
    let sum = 0;
    return unpack(column).map((step) => (sum += signed(step)));
  });
  return reds.map((red, shade) => ({ fill: `rgb(${red}, ${greens[shade]}, ${blues[shade]})`, ink: inks[shade] ? "#fff" : "#000" }));
}
