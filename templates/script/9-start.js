// The page begins: take over what stands in the address, listen, and keep looking at the clock.

function listSectors() {
  const names = [["", "All sectors"], [WATCHLIST, "★ Watchlist"], ...data.sectors.map((name) => [name, name])];
  byId("sector").replaceChildren(...names.map(([value, words]) => new Option(words, value)));
}

/** Links to other markets carry what both have; an address that names another market leads there. */
function linkMarkets() {
  const wanted = new URLSearchParams(location.search).get("market") ?? data.market;
  let found = wanted === data.market;
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("nav a"))) {
    link.addEventListener("click", () => { link.search = query(["mode", "period", "layout", "theme", "palette"]); });
    if (link.textContent !== wanted || found) continue;
    found = true;
    link.click();
  }
  if (!found) unknownValues.push(`There is no market “${wanted.slice(0, 40)}” here.`);
}

/** An address that names a day leads to its map, by way of the list of all days. */
function linkDays() {
  const day = new URLSearchParams(location.search).get("date");
  const days = /** @type {HTMLAnchorElement | null} */ (document.getElementById("days"));
  if (day === null) return;
  if (days) location.replace(days.href + location.search);
  else unknownValues.push(`There is no map of “${day.slice(0, 40)}” here.`);
}

listSectors();
linkMarkets();
linkDays();
/** @type {HTMLInputElement} */ (byId("search")).value = state.q;
listen();
draw();
if (unknownValues.length) {
  byId("notice").textContent = unknownValues.join(" ");
  byId("notice").hidden = false;
}
restore();
tellAge();
setInterval(look, Math.min(LOOK, clock.refresh_seconds * 500));
if (window.parent !== window) {
  new ResizeObserver(() => {
    window.parent.postMessage({ type: "market-heatmap:height", height: document.documentElement.offsetHeight }, "*");
  }).observe(document.documentElement);
}
