// Functions that all parts use, and the part of the page that works where another fails: the published map and its frame.

/** @type {<T>(page: Document, id: string) => T} */
const readJson = (page, id) => JSON.parse(page.getElementById(id)?.textContent ?? "null");
/** @type {<T extends HTMLElement>(id: string) => T} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

const announce = (/** @type {string} */ words) => { byId("status").textContent = words; };

/** Change the page's address. A browser may refuse it: after too many changes, or in a frame that has no address. */
function replaceAddress(/** @type {string} */ address) {
  try {
    history.replaceState(null, "", address);
  } catch {
    // The map shows the state all the same; only a reload loses it.
  }
}

function tell(/** @type {string} */ words) {
  byId("notice").textContent = words;
  byId("notice").hidden = false;
}

let started = false; // whether the first map was drawn; until then the page has no controls
const publishedMap = byId("map").cloneNode(true); // drawing takes the map apart

window.addEventListener("error", () => {
  if (started) return;
  byId("map").replaceChildren(...publishedMap.childNodes);
  tell("The controls of this page do not work in this browser. The map is complete without them.");
}, { once: true });

if (window.parent !== window) {
  new ResizeObserver(() => {
    window.parent.postMessage({ type: "market-heatmap:height", height: document.documentElement.offsetHeight }, "*");
  }).observe(document.documentElement);
}
