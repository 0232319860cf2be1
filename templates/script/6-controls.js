// What the reader does: choices, search, keys, pointers.

const SETTLED = 150; // milliseconds after which a window that is being resized has its size

/** The nearest tile in a direction: what lies aside counts four times. */
function neighbour(/** @type {Element} */ from, /** @type {string} */ key) {
  const upright = key === "ArrowUp" || key === "ArrowDown";
  const forward = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  const start = from.getBoundingClientRect();
  let [best, least] = [/** @type {Stock | null} */ (null), Infinity];
  for (const { stock } of tiles) {
    const { x, y, width, height } = stock.link.getBoundingClientRect();
    const right = x - start.x + (width - start.width) / 2;
    const down = y - start.y + (height - start.height) / 2;
    const [ahead, aside] = upright ? [down * forward, right] : [right * forward, down];
    const distance = ahead + 4 * Math.abs(aside);
    if (ahead > 1 && distance < least) [best, least] = [stock, distance];
  }
  return best;
}

/** Choose the next value of a list. */
function next(/** @type {"mode" | "period" | "layout"} */ key) {
  if (/** @type {HTMLSelectElement} */ (byId(key)).disabled) return;
  const values = /** @type {string[]} */ (choices()[key][1]);
  const value = values[(values.indexOf(state[key]) + 1) % values.length];
  choose({ [key]: value });
  announce(labelOf(key, value));
}

/** @type {Record<string, () => void>} */
const keys = {
  "/": () => byId("search").focus(),
  "?": () => /** @type {HTMLDialogElement} */ (byId("help")).showModal(),
  m: () => next("mode"),
  p: () => next("period"),
  l: () => next("layout"),
  w: () => chosen && watch(chosen),
};

function press(/** @type {KeyboardEvent} */ event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.key === "Escape") {
    hidePanel();
    if (target.id !== "search") return;
    /** @type {HTMLInputElement} */ (target).value = "";
    target.blur();
    return choose({ q: "" });
  }
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, dialog *")) return;
  if (event.key.startsWith("Arrow") && tileOf(target)) {
    event.preventDefault();
    const stock = neighbour(target, event.key);
    if (!stock) return;
    for (const tile of tiles) tile.stock.link.tabIndex = -1;
    stock.link.tabIndex = 0;
    stock.link.focus();
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
}

/** The address of what is shown, for others. */
const linkOf = () => new URL(query(), data.public_url ? `${data.public_url}${data.market}/` : location.href.split(/[?#]/)[0]).href;

function copyLink() {
  const field = /** @type {HTMLInputElement} */ (byId("link"));
  field.value = linkOf();
  field.hidden = false;
  field.select();
  // The newer way to the clipboard is closed to frames of other sites. Where this one is too, the link stands selected.
  announce(document.execCommand("copy") ? "link copied" : "press Ctrl+C to copy the link");
}

function listen() {
  let touch = false;
  for (const id of SELECTS) {
    byId(id).addEventListener("change", () => choose({ [id]: /** @type {HTMLSelectElement} */ (byId(id)).value }));
  }
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("search").addEventListener("input", () => {
    state.q = /** @type {HTMLInputElement} */ (byId("search")).value;
    mark();
    writeAddress();
  });
  document.addEventListener("pointerdown", (event) => { touch = event.pointerType === "touch"; });
  document.addEventListener("mouseover", (event) => {
    if (touch || pinned) return;
    const symbol = tileOf(event.target);
    if (symbol !== chosen) symbol ? showPanel(symbol) : hidePanel();
  });
  document.addEventListener("focusin", (event) => { if (!touch && tileOf(event.target)) showPanel(tileOf(event.target)); });
  document.addEventListener("focusout", () => { if (!pinned) hidePanel(); });
  document.addEventListener("click", (event) => {
    const symbol = tileOf(event.target);
    if (!symbol && !event.composedPath().includes(byId("panel"))) hidePanel();
    if (!symbol || !touch) return;
    event.preventDefault(); // a finger cannot hover: the first tap shows, the panel leads on
    showPanel(symbol, true);
  });
  document.addEventListener("keydown", press);
  window.addEventListener("scroll", () => { if (chosen && !pinned && !document.activeElement?.closest("main")) hidePanel(); }, { passive: true });
  let resized = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = window.setTimeout(fit, SETTLED);
  });
  for (const event of ["beforeprint", "afterprint"]) window.addEventListener(event, () => { printing = event === "beforeprint"; fit(); });
  matchMedia("print").addEventListener("change", fit); // by then Chromium has laid the page out on its paper
  byId("pause").addEventListener("click", () => { setPaused(!paused); look(); });
  byId("refresh").addEventListener("click", () => void refresh());
  if (!("popover" in byId("menu"))) byId("menu-button").addEventListener("click", () => byId("menu").scrollIntoView()); // without popovers it stands below
  byId("help-button").addEventListener("click", keys["?"]);
  byId("replay-button").addEventListener("click", () => choose({ at: state.at ? "" : "latest" }));
  byId("copy").addEventListener("click", copyLink);
  byId("print").addEventListener("click", () => window.print());
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => void save(button.getAttribute("data-save") ?? ""));
  }
  const full = byId("fullscreen");
  full.hidden = !document.fullscreenEnabled; // as in most frames of other sites
  full.addEventListener("click", () => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
}
