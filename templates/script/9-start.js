// The page begins: take over what stands in the address, listen, and keep looking at the clock.

function listChoices() {
  const names = [["", "All sectors"], [WATCHLIST, "★ Watchlist"], ...data.sectors.map((name) => [name, name])];
  byId("sector").replaceChildren(...names.map(([value, words]) => new Option(words, value)));
  for (const what of /** @type {const} */ (["modes", "periods"])) {
    const select = byId(what.slice(0, -1));
    const group = /** @type {HTMLOptGroupElement} */ (make("optgroup"));
    group.label = "From the history";
    group.append(...(data.history?.[what] ?? []).filter(([name]) => !data[what][name]).map(([name, words, reason]) =>
      Object.assign(new Option(reason ? `${words} (${reason})` : words, name), { disabled: reason })));
    select.querySelector("optgroup")?.remove();
    if (group.childElementCount) select.append(group);
  }
  byId("replay-button").hidden = !(data.history && data.history.moments > 1);
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

listChoices();
linkMarkets();
linkDays();
/** @type {HTMLInputElement} */ (byId("search")).value = state.q;
listen();
draw();
started = true;
for (const id of ["tools", "menu"]) byId(id).hidden = false;
if (unknownValues.length) tell(unknownValues.join(" "));
restore();
