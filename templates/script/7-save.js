// What is shown, as a file: figures as CSV or JSON, the picture as SVG or PNG.

/** The figures shown, a row a stock; null where one is not known. */
const figures = () => tiles.map(({ stock, known, number }) => ({
  symbol: stock.symbol, name: stock.name, sector: data.sectors[sectorOf[stock.place]] ?? null, percent_change: stock.percent ? Number(stock.percent) : null,
  mode: shown.mode, period: shown.over, value: known ? number : null, unit: data.modes[shown.mode].unit || data.prices.currency || "",
}));

function csv() {
  const rows = figures();
  // An apostrophe stands where a spreadsheet would see a formula begin, as heatmap/system/parsing.py has it; numbers may begin with a minus.
  const cell = (/** @type {string | number | null} */ value) =>
    typeof value === "string" ? `"${value.replace(/(^|[;,]) *(?=[=+@−﹢-﹫＋－＝＠-])/g, "$&'").replace(/"/g, "$&$&")}"` : value;
  return [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((row) => `${row.map(cell).join()}\r\n`).join("");
}

/** The lines that a text takes on the screen, cut where it is cut there. */
function linesOf(/** @type {Text} */ node) {
  const range = document.createRange();
  const lines = /** @type {{words: string, x: number, y: number, width: number, height: number}[]} */ ([]);
  node.data.split("").forEach((letter, place) => {
    range.setStart(node, place);
    range.setEnd(node, place + 1);
    const { x, y, width, height } = range.getBoundingClientRect();
    const line = lines.at(-1);
    if (line && y < line.y + line.height / 2) [line.words, line.width] = [line.words + letter, x + width - line.x];
    else lines.push({ words: letter, x, y, width, height });
  });
  const parent = /** @type {Element} */ (node.parentElement);
  const { overflowX, fontSize } = getComputedStyle(parent);
  const [line] = lines;
  if (overflowX === "hidden" && line && line.width > parent.clientWidth) {
    line.width = parent.clientWidth;
    while (line.words && widthOf(`${line.words}…`) * parseFloat(fontSize) > line.width) line.words = line.words.slice(0, -1);
    line.words += "…";
  }
  return lines.filter((line) => line.width);
}

/** The map as it stands on the screen, and its size in pixels. */
function picture() {
  const map = byId("map");
  const { x: left, y: top, width, height } = map.getBoundingClientRect();
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const add = (/** @type {Element} */ parent, /** @type {string} */ tag, /** @type {Record<string, unknown>} */ attributes, words = "") => {
    const element = tag ? parent.appendChild(document.createElementNS(space, tag)) : parent;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.append(words);
  };
  const page = getComputedStyle(document.body);
  add(svg, "", { width, height: height + 26, viewBox: `0 ${-26} ${width} ${height + 26}`, "font-family": "sans-serif" });
  add(svg, "rect", { y: -26, width, height: height + 26, fill: page.backgroundColor });
  add(svg, "text", { x: 2, y: -9, "font-size": 13, fill: page.color }, [document.title, byId("caption").textContent, document.querySelector(".times")?.textContent].join(" · "));
  for (const element of map.querySelectorAll("li, td, i")) {
    const { x, y, width, height } = element.getBoundingClientRect();
    add(svg, "rect", { x: x - left, y: y - top, width, height, fill: getComputedStyle(element).backgroundColor });
  }
  const walker = document.createTreeWalker(map, 4); // of texts
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    const { color, fontSize, fontWeight, opacity } = getComputedStyle(/** @type {Element} */ (node.parentElement));
    for (const { words, x, y, width, height } of opacity === "0" ? [] : linesOf(node)) {
      add(svg, "text", {
        x: x - left + width / 2, y: y - top + height / 2, "text-anchor": "middle", "dominant-baseline": "central",
        "font-size": fontSize, "font-weight": fontWeight, fill: color,
      }, words);
    }
  }
  return { text: new XMLSerializer().serializeToString(svg), width, height: height + 26 };
}

/** The picture in dots, two a pixel. */
async function png() {
  const { text, width, height } = picture();
  const image = new Image(width, height);
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * 2, height * 2];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return /** @type {Promise<Blob | null>} */ (new Promise((resolve) => canvas.toBlob(resolve)));
}

/** Hand over what is shown as a file of one of these kinds. */
async function save(/** @type {string} */ kind) {
  /** @type {Record<string, () => string | Promise<Blob | null>>} */
  const kinds = { csv, json: () => `${JSON.stringify(figures(), null, 1)}\n`, svg: () => picture().text, png };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (await kinds[kind]())]));
  link.download = `${data.market}-${shown.mode}-${shown.over}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
