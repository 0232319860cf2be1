// What the page holds: its stocks, and how each mode over each period orders, numbers and shades them.
// Every number was computed before the page was published; here it is unpacked and scaled.

/** @typedef {{symbol: string, link: HTMLAnchorElement, name: string, percent: string, text: string, fill: string, ink: string, place: number}} Stock */
/** @typedef {{name: string, low: string, high: string, clipped: [number, number], shades: string | number[]}} Scale */
/** @typedef {{order: string, values: string, percentiles: string, scores: string, scales: Scale[],
    groups: string, medians: string, breadths: string}} Reading */
/** @typedef {{unit: string, ramp: string, centre: number, signed: boolean, decimals: number, needs: string, periods: string[] | null, swatches: number[]}} Mode */
/** @typedef {{palette: string, heat: string, palettes: Record<string, string[]>, unknown: [string, string], modes: Record<string, Mode>,
    periods: Record<string, {since: string}>, readings: Record<string, Reading>, sectors: string[], sector: string, volumes: string,
    caps: string, by_cap: string, money: {sign: string, units: [number, string][]}, columns: number, market: string, up: string, public_url: string | null,
    prices: {decimals: number, currency: string | null, ticks: string,
    last: string, low: string, high: string, year_low: string, year_high: string},
    doubts?: Record<string, Record<string, string>>,
    history?: {periods: [string, string, string][], modes: [string, string, string][], moments: number},
    unavailable?: Record<string, string>, adjusted?: Record<string, string>, guesses?: Record<string, Record<string, string>>, sparks?: Sparks}} Data */

const MINUS = "\u2212";
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

/** The stocks in an order: each one's place among those left, as base64 of as many bits as the last of them needs. */
function ordered(/** @type {string} */ text) {
  const left = [...stocks];
  let [bits, count, letter] = [0, 0, 0];
  return stocks.map(() => {
    const width = 32 - Math.clz32(left.length - 1);
    for (; count < width; count += 6) bits = (bits << 6) | DIGITS.indexOf(text[letter++]);
    count -= width;
    const place = bits >> count;
    bits &= (1 << count) - 1;
    return left.splice(place, 1)[0];
  });
}

/** The stocks of a page in its order, from the cells of its table. */
function readStocks(/** @type {Document} */ page) {
  return [...page.querySelectorAll("td[data-symbol]")].map((cell, place) => {
    const link = /** @type {HTMLAnchorElement} */ (cell.querySelector("a"));
    const { background: fill, color: ink } = /** @type {HTMLElement} */ (cell).style;
    const stock = {
      symbol: cell.getAttribute("data-symbol") ?? "", percent: cell.getAttribute("data-percent-change") ?? "",
      text: link.lastElementChild?.textContent ?? "", name: link.title, link, fill, ink, place,
    };
    // The panel takes their place: titles are for readers without script.
    link.removeAttribute("title");
    link.lastElementChild?.removeAttribute("title");
    return /** @type {Stock} */ (stock);
  });
}

let data = /** @type {Data} */ (readJson(document, "heatmap-data"));
let stocks = readStocks(document);
let bySymbol = new Map(stocks.map((stock) => [stock.symbol, stock]));
let sectorOf = unpack(data.sector);

/** A number with its sign: true minus, and a plus where it is asked for. What shows as 0 has none. */
function write(/** @type {number} */ number, /** @type {string} */ size, plus = false) {
  return (!Number(size) ? "" : number < 0 ? MINUS : plus ? "+" : "") + size;
}

const locale = () => (data.prices.currency === "INR" ? "en-IN" : "en-US");

/** An amount or a count of three digits, in what the readers of the currency count in. */
function large(/** @type {number} */ amount) {
  const [zeros, unit] = data.money.units.find(([least]) => amount >= 10 ** least) ?? [0, ""];
  const digits = unit ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 };
  return withUnit((amount / 10 ** zeros).toLocaleString(locale(), digits), unit);
}

/** An amount of money, with the sign of its currency. */
const money = (/** @type {number} */ amount) => data.money.sign + large(amount);

/** Words with their unit; amounts have theirs within. */
const withUnit = (/** @type {string} */ words, /** @type {string} */ unit) => `${words} ${unit}`.trim();

/** A price of a stock in words; "" where it is not known. */
function priceOf(/** @type {Stock} */ { place }, /** @type {"last" | "low" | "high" | "year_low" | "year_high"} */ which) {
  const { decimals, currency, ticks, last, [which]: packed } = data.prices;
  const [number, below] = [last, packed].map((column) => signed(unpack(column)[place]));
  if (!number || !below) return "";
  // All but the last price are given by how far below it they are, and numbers from 0 up as one more.
  const inTicks = number - 1 - (which === "last" ? 0 : below > 0 ? below - 1 : below);
  return ((inTicks * unpack(ticks)[place]) / 10 ** decimals).toLocaleString(locale(), {
    minimumFractionDigits: Math.min(decimals, 2), maximumFractionDigits: decimals,
    ...(currency && { style: "currency", currency, currencyDisplay: "narrowSymbol" }),
  });
}

/** The reading of a mode: over the period, or where the mode has none of it over the first that it has. */
function readingOf(/** @type {string} */ mode, /** @type {string} */ period) {
  const { periods } = data.modes[mode];
  const over = periods && !periods.includes(period) ? periods[0] : period;
  const reading = data.readings[`${mode} ${over}`];
  const numbers = valuesOf(mode, reading.values);
  return {
    ...reading, mode, over, order: ordered(reading.order), numbers, texts: numbers.map((number) => inMode(mode, number)),
    groups: unpack(reading.groups), breadths: unpack(reading.breadths),
    medians: valuesOf(mode === "sector" ? "change" : mode, reading.medians), // the sectors' own scores are 0
  };
}

/** The number that stands for one of three digits, of which there are 900 a decade; -1 stands for 0. */
const fromThreeDigits = (/** @type {number} */ place) =>
  place < 0 ? 0 : (100 + (place % 900)) * 10 ** (Math.floor(place / 900) - 2);

/** The values packed for a mode. */
const valuesOf = (/** @type {string} */ mode, /** @type {string} */ packed) =>
  falling(packed).map(mode === "amount" ? fromThreeDigits : (number) => number / 10 ** data.modes[mode].decimals);

/** A value as the mode's tiles show it. */
const inMode = (/** @type {string} */ mode, /** @type {number} */ number) =>
  mode === "amount" ? money(number) : write(number, Math.abs(number).toFixed(data.modes[mode].decimals), data.modes[mode].signed);

/** The fills of a palette, and the inks readable on them, by shade. */
function rampOf(/** @type {string} */ palette) {
  const [reds, greens, blues, inks] = data.palettes[palette].map((column) => {
    let sum = 0;
    return unpack(column).map((step) => (sum += signed(step)));
  });
  return reds.map((red, shade) => ({ fill: `rgb(${red}, ${greens[shade]}, ${blues[shade]})`, ink: inks[shade] ? "#fff" : "#000" }));
}
