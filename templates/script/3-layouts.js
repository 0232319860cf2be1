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
    const medians = reading.medians.split("|");
    const breadths = unpack(reading.breadths);
    const unit = reading.mode === "sector" ? "%" : data.modes[reading.mode].unit;
    const all = make("div");
    unpack(reading.groups).forEach((sector, place) => {
      const inside = members.get(sector);
      if (!inside) return;
      const [advances, declines] = breadths.slice(2 * place, 2 * place + 2);
      const median = medians[place] ? `median ${medians[place]} ${unit} · ` : "";
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
    const scale = width / MAP_UNITS;
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
        const heading = put(make("li", "heading", data.sectors[sectorOf[stock.place]]), strip);
        heading.setAttribute("aria-hidden", "true"); // the order of the tiles does not follow it
        map.append(heading);
        strip = null;
      }
      const tile = stock && drawn.get(stock);
      if (!tile) continue;
      const element = put(box("li", tile), rectangle);
      const [room, tall] = [rectangle[2] * scale - 6, rectangle[3] * scale - 4];
      const longest = Math.max(tile.stock.symbol.length, tile.text.length);
      const size = Math.min(room / (longest * 0.84), tall / 1.25, 22);
      const both = Math.min(size, tall / 2.5) >= 8.5;
      element.style.setProperty("--size", `${both ? Math.min(size, tall / 2.5) : size}px`);
      if (!both) element.classList.add(size >= 8.5 ? "short" : "tiny");
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
      bar.style.setProperty("--width", `${width}%`);
      bar.style.setProperty("--from", sided ? `${tile.number < centre ? 50 - width : 50}%` : "0");
      bar.style.setProperty("--fill", tile.fill);
      tile.stock.link.firstElementChild?.after(bar);
      list.append(element);
    }
    return list;
  },
};

const MAP_UNITS = 500; // across a treemap

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
