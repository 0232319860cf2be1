// What is shown, as a file: figures as CSV or JSON, the picture as SVG or PNG.

function offer(/** @type {Blob} */ content, /** @type {string} */ extension) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = `${data.market}-${shown.mode}-${shown.over}.${extension}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The figures shown, a row a stock; null where one is not known. */
const figures = () => tiles.map(({ stock, known, number }) => ({
  symbol: stock.symbol, name: stock.name, sector: data.sectors[sectorOf[stock.place]] ?? null,
  percent_change: Number(stock.percent), mode: shown.mode, period: shown.over,
  value: known ? number : null, unit: data.modes[shown.mode].unit,
}));

function csv() {
  const rows = figures();
  // Text that a spreadsheet would run as a formula is led by an apostrophe; numbers may begin with a minus.
  const cell = (/** @type {string | number | null} */ value) => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** The map as it stands on the screen, each tile a rectangle with its words. */
function svg() {
  const map = byId("map").getBoundingClientRect();
  const paper = getComputedStyle(document.body);
  const top = 26; // for the caption
  const drawing = new DOMParser().parseFromString(`<svg xmlns="http://www.w3.org/2000/svg"/>`, "image/svg+xml");
  const add = (/** @type {string} */ tag, /** @type {Record<string, string | number>} */ attributes, words = "") => {
    const element = drawing.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.textContent = words;
    drawing.documentElement.append(element);
  };
  const [width, height] = [Math.ceil(map.width), Math.ceil(map.height) + top];
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif" })) {
    drawing.documentElement.setAttribute(name, String(value));
  }
  const time = document.querySelector(".times")?.textContent ?? "";
  add("rect", { width, height, fill: paper.backgroundColor });
  add("text", { x: 2, y: 17, "font-size": 13, "font-weight": 600, fill: paper.color }, `${document.title} · ${byId("caption").textContent} · ${time}`);
  for (const element of document.querySelectorAll("main li, main td, main h2, main i, main b, main span")) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const [x, y] = [box.x - map.x, box.y - map.y + top];
    if (!box.width || !box.height) continue;
    if (element.matches("li, td, i")) {
      const bar = element.matches("i") ? getComputedStyle(element, "::before") : style;
      const place = element.matches("i") ? [x + parseFloat(bar.left), parseFloat(bar.width)] : [x, box.width];
      add("rect", { x: place[0], y, width: place[1], height: box.height, fill: bar.backgroundColor });
    }
    if (!element.matches("h2, b, span, .heading") || style.opacity === "0") continue;
    const end = element.closest(".bars") && element.matches("span");
    const middle = !element.matches("h2, .heading, .bars b") && !end;
    add("text", {
      x: middle ? x + box.width / 2 : end ? x + box.width : x, y: y + box.height / 2, "dominant-baseline": "central",
      "text-anchor": middle ? "middle" : end ? "end" : "start", "font-size": parseFloat(style.fontSize), "font-weight": style.fontWeight, fill: style.color,
    }, element.matches("h2") ? [...element.childNodes].map((node) => node.textContent).join("  ") : element.textContent ?? "");
  }
  return { text: new XMLSerializer().serializeToString(drawing), width, height };
}

async function png() {
  const { text, width, height } = svg();
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image(width, height);
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * 2, height * 2];
  canvas.getContext("2d")?.drawImage(image, 0, 0, width * 2, height * 2);
  URL.revokeObjectURL(address);
  return /** @type {Promise<Blob>} */ (new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))))));
}

async function save(/** @type {string} */ kind) {
  const text = (/** @type {string} */ words, /** @type {string} */ type) => new Blob([words], { type: `${type};charset=utf-8` });
  try {
    if (kind === "csv") offer(text(csv(), "text/csv"), kind);
    else if (kind === "json") offer(text(`${JSON.stringify(figures(), null, 1)}\n`, "application/json"), kind);
    else if (kind === "svg") offer(text(svg().text, "image/svg+xml"), kind);
    else offer(await png(), kind);
    announce("saved");
  } catch {
    announce("this browser would not save it");
  }
}
