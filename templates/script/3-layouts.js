// The four layouts. Each is made anew from the stocks' own links, so that what was focused can be again.

/** @typedef {{stock: Stock, text: string, fill: string, ink: string, known: boolean, number: number}} Tile */
/** @typedef {ReturnType<typeof readingOf>} Picked */

/** @type {(tag: string, className?: string, ...children: (Node | string)[]) => HTMLElement} */
function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** The box around a stock's link. */
function box(/** @type {string} */ tag, /** @type {Tile} */ { stock, text, fill, ink, known }) {
  const element = document.createElement(tag);
  element.dataset.symbol = stock.symbol;
  element.dataset.percentChange = stock.percent;
  element.style.cssText = `background-color:${fill};color:${ink}${stock.symbol.length > 8 ? `;--letters:${stock.symbol.length}` : ""}`;
  if (!known) element.className = "unknown";
  const figure = /** @type {Element} */ (stock.link.lastElementChild);
  if (figure.textContent !== text) figure.textContent = text;
  if (stock.link.childElementCount > 2) stock.link.children[1].remove();
  element.append(stock.link);
  return element;
}

/** @type {Record<string, (tiles: Tile[], reading: Picked) => HTMLElement>} */
const layouts = {
  table(tiles) {
    const { columns } = data;
    const body = make("tbody");
    body.setAttribute("role", "rowgroup");
    for (let start = 0; start < tiles.length; start += columns) {
      const row = make("tr");
      row.setAttribute("role", "row");
      for (const tile of tiles.slice(start, start + columns)) {
        const cell = box("td", tile);
        cell.setAttribute("role", "cell");
        row.append(cell);
      }
      body.append(row);
    }
    const table = make("table", "grid", body);
    table.setAttribute("role", "table");
    return table;
  },

  sectors(tiles, reading) {
    const members = Map.groupBy(tiles, (tile) => sectorOf[tile.stock.place]);
    const mode = reading.mode === "sector" ? "change" : reading.mode;
    const { groups, medians, breadths } = reading;
    const all = make("div");
    groups.forEach((sector, place) => {
      const inside = members.get(sector);
      if (!inside) return;
      const [advances, declines] = breadths.slice(2 * place, 2 * place + 2);
      const median = place < medians.length ? `median ${inMode(mode, medians[place])} ${data.modes[mode].unit} · ` : "";
      const heading = make("h2", "", data.sectors[sector] ?? "Without a sector",
        make("small", "", `${median}${advances} up, ${declines} down`));
      all.append(make("section", "", heading, make("ul", "grid", ...inside.map((tile) => box("li", tile)))));
    });
    return all;
  },

  treemap(tiles) {
    const { sectors, maps } = data.treemaps[state.area];
    const width = byId("map").clientWidth;
    // The widest picture that a screen of this width has room for.
    const [aspect, kinds, numbers] = maps[width >= 800 ? 0 : width >= 480 ? 1 : 2];
    const map = make("ul", "treemap");
    map.style.aspectRatio = String(aspect);
    const put = (/** @type {HTMLElement} */ element, /** @type {number[]} */ [x, y, w, h]) => {
      const percent = (/** @type {number} */ units, share = 1) => `${(units * share * 100) / MAP_UNITS}%`;
      element.style.left = percent(x);
      element.style.top = percent(y, aspect);
      element.style.width = percent(w);
      element.style.height = percent(h, aspect);
      return element;
    };
    const drawn = new Map(tiles.map((tile) => [tile.stock, tile]));
    const order = ordered(state.area === "amount" ? data.readings["amount 1d"].order : data.by_cap);
    const members = unpack(sectors).flatMap((sector) => order.filter((stock) => sectorOf[stock.place] === sector)).values();
    /** @type {number[] | null} */
    let strip = null; // a heading waits for the first stock of its sector
    for (const [kind, rectangle] of unpackPlaces(kinds, numbers)) {
      if (kind === "5") {
        strip = rectangle;
        continue;
      }
      const stock = members.next().value;
      if (strip && stock) {
        const name = data.sectors[sectorOf[stock.place]];
        const fits = widthOf(name) * HEADING < (strip[2] * width) / MAP_UNITS - 6;
        const heading = put(make("li", "heading", fits ? name : ""), strip);
        heading.ariaHidden = "true"; // the order of the tiles does not follow it
        map.append(heading);
        strip = null;
      }
      const tile = stock && drawn.get(stock);
      if (!tile) continue;
      const element = put(box("li", tile), rectangle);
      const [wide, tall] = [(rectangle[2] * width) / MAP_UNITS - 9, (rectangle[3] * width) / MAP_UNITS - 6];
      const one = Math.min(wide / widthOf(tile.stock.symbol), tall / 1.25, 22);
      const two = Math.min(one, wide / widthOf(tile.text), tall / 2.5);
      element.style.setProperty("--size", `${two < LEAST ? one : two}px`);
      if (two < LEAST) element.classList.add(one < LEAST ? "tiny" : "short");
      map.append(element);
    }
    return map;
  },

  bars(tiles, reading) {
    const { centre, ramp } = data.modes[reading.mode];
    const longest = Math.max(...reading.numbers.map((number) => Math.abs(number - centre)), Number.MIN_VALUE);
    const sided = ramp === "two-sided";
    const list = make("ol", "bars");
    for (const tile of tiles) {
      const element = box("li", tile);
      const bar = make("i");
      const width = tile.known ? (Math.abs(tile.number - centre) / longest) * (sided ? 50 : 100) : 0;
      const start = sided ? 50 - (tile.number < centre ? width : 0) : 0;
      bar.style.cssText = `margin-left:${start}%;width:${width}%;background:${tile.fill}`;
      tile.stock.link.firstElementChild?.after(bar);
      list.append(element);
    }
    return list;
  },
};

const MAP_UNITS = 400; // across a treemap
const LEAST = 8; // pixels of a letter's size: below it a label is left out
const HEADING = 11;

const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
pen.font = `600 100px ${getComputedStyle(document.body).fontFamily}`;
/** How wide words are in the page's bold letters, for each pixel of their size. */
function widthOf(/** @type {string} */ words) {
  return pen.measureText(words).width / 100;
}

/** The rectangles (x, y, width, height) of a treemap: how each follows from the one before, and the numbers it takes. */
function unpackPlaces(/** @type {string} */ kinds, /** @type {string} */ packed) {
  const numbers = unpack(packed).values();
  const take = () => /** @type {number} */ (numbers.next().value);
  let [x, y, w, h] = [0, 0, 0, 0];
  let strip = [0, 0, 0, 0];
  return [...kinds].map((kind) => {
    if (kind === "0") [y, h] = [y + h, take()];
    else if (kind === "1") [x, w] = [x + w, take()];
    else {
      if (kind === "2") [x, y] = [strip[0] + strip[2], strip[1]];
      else if (kind === "3") [x, y] = [strip[0], strip[1] + strip[3]];
      else [x, y] = [take(), take()];
      [w, h] = [take(), take()];
      strip = [x, y, w, h];
    }
    return /** @type {[string, number[]]} */ ([kind, [x, y, w, h]]);
  });
}
