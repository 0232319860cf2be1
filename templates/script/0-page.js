// What the other parts use, and what goes on where one of them fails: the published map, and the height of its frame.

/** @type {<T>(page: Document, id: string) => T} */
const readJson = (page, id) => JSON.parse(page.getElementById(id)?.textContent ?? "null");
/** @type {<T extends HTMLElement>(id: string) => T} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

const announce = (/** @type {string} */ words) => { byId("status").textContent = words; };

/** Change the page's address. A browser may refuse, for there were too many changes or the frame has none: the map goes on. */
function replaceAddress(/** @type {string} */ address) {
  try {
    history.replaceState(null, "", address);
  } catch {
    // The state is in the script; only a link or a reload does without it.
  }
}

function tell(/** @type {string} */ words) {
  byId("notice").textContent = words;
  byId("notice").hidden = false;
}

let started = false; // whether the first map was drawn; until then the page has no controls
const published = byId("map").cloneNode(true); // drawing takes the map apart

window.addEventListener("error", () => {
  if (started) return;
  byId("map").replaceChildren(...published.childNodes);
  tell("The controls of this page do not work in this browser. The map is complete without them.");
}, { once: true });

if (window.parent !== window) {
  new ResizeObserver(() => {
    window.parent.postMessage({ type: "market-heatmap:height", height: document.documentElement.offsetHeight }, "*");
  }).observe(document.documentElement);
}
