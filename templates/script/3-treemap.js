// The treemap: rectangles for the size of the reader's window, and the words that fit in them.

/** @typedef {[number, number, number, number]} Rectangle x, y, width and height in pixels */

const SMALLEST = 0.4; // of the mean weight: no tile is smaller, so that none disappears
const HEADING = 15; // pixels of a heading's height
const LEAST = 8; // pixels of a letter's size: below it a label is left out
const LEAST_PRINTED = 5.5;
const LARGEST = 22;
const LINE = 1.15; // of a letter's size
const NAMEABLE = 4400; // square pixels a stock, on average: enough for a name on nearly every tile
const WIDEST = 25_600; // square pixels a stock, on average: few stocks need no whole window
const HEAD = 130; // pixels of a window that what stands around the map takes, about
const FOOT = 32; // pixels of a sheet that what stands below the map takes
const SHEET = [700, 850]; // in proportion, where a browser does not say how large its paper is

/** The weights with a floor, which unknown ones get too; all 1 where none is known. */
function floored(/** @type {(number | undefined)[]} */ weights) {
  const known = weights.map((weight) => weight ?? 0).filter((weight) => weight > 0);
  const floor = (SMALLEST * sum(known)) / known.length;
  return weights.map((weight) => (known.length ? Math.max(weight ?? 0, floor) : 1));
}

const sum = (/** @type {number[]} */ numbers) => numbers.reduce((total, number) => total + number, 0);

/**
 * Divide a rectangle among positive weights, in strips, in their order; tiles are near to squares (Bruls, Huizing and van
 * Wijk, "Squarified Treemaps", 2000). The program draws by the same rules: tests/fixtures/treemaps.json holds both to them.
 */
function squarify(/** @type {number[]} */ weights, /** @type {Rectangle} */ [x, y, width, height]) {
  const whole = width * height;
  const total = sum(weights);
  const areas = weights.map((weight) => (weight * whole) / total);
  const placed = /** @type {Rectangle[]} */ ([]);
  for (let start = 0, end = 0; start < areas.length; start = end) {
    const side = Math.min(width, height);
    /** The worst aspect ratio of the strip that ends there. */
    const worst = (/** @type {number} */ end) => {
      const strip = areas.slice(start, end);
      const square = (sum(strip) / side) ** 2;
      return Math.max(Math.max(...strip) / square, square / Math.min(...strip));
    };
    end = start + 1;
    while (end < areas.length && worst(end + 1) <= worst(end)) end++;
    const strip = areas.slice(start, end);
    const depth = sum(strip) / side;
    const upright = width >= height;
    let along = upright ? y : x;
    for (const area of strip) {
      const length = area / depth;
      placed.push(upright ? [x, along, depth, length] : [along, y, length, depth]);
      along += length;
    }
    if (upright) [x, width] = [x + depth, width - depth];
    else [y, height] = [y + depth, height - depth];
  }
  return placed;
}

/**
 * Divide a picture among sectors, and each sector among its members, whose weights fall. A sector's name is "" where there
 * is none. `tiles` are the members' positions, `places` their rectangles.
 */
function arrange(/** @type {number[]} */ weights, /** @type {string[]} */ sectors, /** @type {number} */ width, /** @type {number} */ height) {
  const groups = [...new Set(sectors)].map((name) => {
    const members = [...weights.keys()].filter((place) => sectors[place] === name);
    return { name, members, total: sum(members.map((place) => weights[place])) };
  });
  groups.sort((a, b) => Number(a.name === "") - Number(b.name === "") || b.total - a.total || (a.name < b.name ? -1 : 1));
  const headings = /** @type {[string, Rectangle][]} */ ([]);
  const areas = squarify(groups.map(({ total }) => total), [0, 0, width, height]);
  const places = groups.flatMap(({ name, members }, number) => {
    let [x, y, w, h] = areas[number];
    if (name && groups.length > 1 && h >= 2.6 * HEADING) {
      headings.push([name, [x, y, w, HEADING]]);
      [y, h] = [y + HEADING, h - HEADING];
    }
    return squarify(members.map((place) => weights[place]), [x, y, w, h]);
  });
  return { tiles: groups.flatMap(({ members }) => members), places, headings };
}

/** The stocks by the weight that an area stands for, the heaviest first, and the weights that are known. */
function weighed(/** @type {string} */ area) {
  const amounts = data.readings["amount 1d"];
  const [order, packed] = area === "amount" ? [amounts.order, amounts.values] : [data.by_cap, area === "equal" ? "" : data.caps];
  return { order: ordered(order), weights: falling(packed).map(fromThreeDigits) };
}

const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
pen.font = `600 100px ${getComputedStyle(document.body).fontFamily}`;
/** How wide words are in the page's bold letters, for each pixel of their size. */
function widthOf(/** @type {string} */ words) {
  return pen.measureText(words).width / 100;
}

let printing = false;

/** Width and height of a map of so many stocks: the window's or the sheet's, or higher where names would not fit. */
function roomFor(/** @type {number} */ count) {
  const map = byId("map");
  const page = document.documentElement;
  if (printing) return matchMedia("print").matches ? [map.clientWidth, page.clientHeight - map.offsetTop - FOOT] : SHEET;
  const width = Math.max(map.clientWidth, 1);
  // A frame may be as high as its page, so there the height must not follow from the window's.
  const free = window.parent === window ? page.clientHeight - HEAD : width / 1.9;
  return [width, Math.round(Math.max(Math.min(free, (count * WIDEST) / width), (count * NAMEABLE) / width, 160))];
}

/** Draw a treemap anew whose room has changed. */
function fit() {
  if (state.layout === "treemap" && roomFor(tiles.length).join() !== drawnRoom) draw();
}

/** A symbol in that many lines, as long as each other; two part after its hyphen or ampersand. */
function split(/** @type {string} */ symbol, /** @type {number} */ count) {
  const length = (count === 2 && symbol.search(/[-&]./) + 1) || Math.ceil(symbol.length / count);
  const rest = /** @type {string[]} */ (count > 1 ? split(symbol.slice(length), count - 1) : []);
  return [symbol.slice(0, length), ...rest];
}

/**
 * Set a tile's words as large as its size allows: symbol and figure, or the symbol alone, in one line or more, or cut. Returns
 * their size, and how wide the name may be, in pixels.
 */
function label(/** @type {HTMLElement} */ element, /** @type {Tile} */ { stock, text }, /** @type {number} */ wide, /** @type {number} */ tall) {
  const { symbol } = stock;
  const least = printing ? LEAST_PRINTED : LEAST;
  for (const figures of [[text], []]) {
    for (const count of [1, 2, 3]) {
      const lines = split(symbol, count);
      const size = Math.min(wide / Math.max(...[...lines, ...figures].map(widthOf)), tall / (count + figures.length) / LINE, LARGEST);
      if (size < least) continue;
      element.classList.toggle("short", !figures.length);
      // The name stays one word, for those who listen: it is only given the room of its longest line.
      // With some room to spare, for WebKit sets small letters up to 8 % wider than their measure.
      return [size, count > 1 ? Math.min(Math.max(...lines.map(widthOf)) * size * 1.08 + 2, wide + 4) : wide + 4];
    }
  }
  element.classList.add(...(widthOf(`${symbol.slice(0, 2)}…`) * least <= wide && least * LINE <= tall ? ["short", "cut"] : ["tiny"]));
  return [least, wide + 2];
}

let drawnRoom = ""; // width and height of the map that was drawn last

function drawTreemap(/** @type {Tile[]} */ tiles) {
  const [width, height] = roomFor(tiles.length);
  drawnRoom = [width, height].join();
  const map = make("ul", "treemap");
  map.style.setProperty("--ratio", String(width / height));
  const share = (/** @type {number} */ part, /** @type {number} */ whole) => ((part * 100) / whole).toFixed(3);
  const put = (/** @type {HTMLElement} */ element, /** @type {Rectangle} */ [x, y, w, h], style = element.style) => {
    [style.left, style.width] = [x, w].map((part) => `${share(part, width)}%`);
    [style.top, style.height] = [y, h].map((part) => `${share(part, height)}%`);
    return element;
  };
  const drawn = new Map(tiles.map((tile) => [tile.stock, tile]));
  const { order, weights } = weighed(state.area);
  const members = order.map((stock, place) => ({ tile: /** @type {Tile} */ (drawn.get(stock)), weight: weights[place] })).filter(({ tile }) => tile);
  const sectors = members.map(({ tile }) => data.sectors[sectorOf[tile.stock.place]] ?? "");
  const { tiles: chosen, places, headings } = arrange(floored(members.map(({ weight }) => weight)), sectors, width, height);
  const strips = new Map(headings);
  chosen.forEach((member, number) => {
    const sector = sectors[member];
    const strip = strips.get(sector);
    if (strip) {
      const heading = put(make("li", "heading", sector), strip);
      heading.title = sector; // which may be cut
      heading.setAttribute("aria-hidden", "true"); // the order of the tiles does not follow it
      map.append(heading);
      strips.delete(sector);
    }
    const { tile } = members[member];
    const element = put(box("li", tile), places[number]);
    const [, , w, h] = places[number];
    // Letters grow and shrink with the map until it is drawn anew, and on paper.
    const [size, wide] = label(element, tile, w - 6, h - 4);
    element.style.cssText += `;--size:${share(size, width)}cqw;--wide:${share(wide, width)}cqw`;
    map.append(element);
  });
  return map;
}
