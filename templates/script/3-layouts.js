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
  element.style.cssText = `background-color:${fill};color:${ink}${stock.symbol.length > 8 ? `;--letters:${stock.symbol.length}` : ""}${text.length > 10 ? `;--digits:${text.length}` : ""}`;
  if (!known) element.className = "unknown";
  const figure = /** @type {Element} */ (stock.link.lastElementChild);
  if (figure.textContent !== text) figure.textContent = text;
  if (stock.link.childElementCount > 2) stock.link.children[1].remove();
  element.append(stock.link);
  return element;
}

/** @type {Record<string, (tiles: Tile[], reading: Picked) => HTMLElement>} */
const layouts = {
  treemap: drawTreemap,

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
    const mode = reading.mode === "sector" ? "change" : reading.mode;
    const { groups, medians, breadths } = reading;
    const all = make("div");
    groups.forEach((sector, place) => {
      const inside = tiles.filter((tile) => sectorOf[tile.stock.place] === sector);
      if (!inside.length) return;
      const [advances, declines] = breadths.slice(2 * place, 2 * place + 2);
      const median = place < medians.length ? `median ${withUnit(inMode(mode, medians[place]), data.modes[mode].unit)} · ` : "";
      const heading = make("h2", "", data.sectors[sector] ?? "Without a sector",
        make("small", "", `${median}${advances} up, ${declines} down`));
      all.append(make("section", "", heading, make("ul", "grid", ...inside.map((tile) => box("li", tile)))));
    });
    return all;
  },

  bars(tiles, reading) {
    const { centre, ramp } = data.modes[reading.mode];
    const longest = Math.max(...reading.numbers.map((number) => Math.abs(number - centre)), Number.MIN_VALUE);
    const sided = ramp === "two-sided";
    const list = make("ol", data.modes[reading.mode].unit ? "bars" : "bars long");
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
