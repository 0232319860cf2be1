// The page begins: take over what stands in the address, listen, and keep looking at the clock.

function listSectors() {
  const names = [["", "All sectors"], [WATCHLIST, "★ Watchlist"], ...data.sectors.map((name) => [name, name])];
  byId("sector").replaceChildren(...names.map(([value, words]) => new Option(words, value)));
}

/** Go to another market's page, with the rest of the address. */
function goToMarket() {
  const wanted = new URLSearchParams(location.search).get("market");
  const links = [...document.querySelectorAll("nav a[data-market]")];
  const carried = queryOf(state, ["mode", "period", "layout", "theme", "palette", "heat"]);
  for (const link of /** @type {HTMLAnchorElement[]} */ (links)) {
    link.addEventListener("click", () => { link.search = queryOf(state, ["mode", "period", "layout", "theme", "palette", "heat"]); });
    if (link.dataset.market === wanted && wanted !== data.market) {
      link.search = carried;
      location.replace(link.href);
    }
  }
  if (wanted && wanted !== data.market && !links.some((link) => link.getAttribute("data-market") === wanted)) {
    unknownValues.push(`There is no market “${wanted.slice(0, 40)}” here.`);
  }
}

listSectors();
goToMarket();
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
