// Has the past come: history and replay are for who asks for them, and so is the script that knows them.

/** What later.js puts here. `holds`: tiles stay where they are, however the figures change. */
/** @type {{attend?: (quiet: boolean) => void, reading?: () => Picked | null, holds?: boolean, drawn?: () => void, merge?: () => void,
    price?: (stock: Stock) => string | undefined, panel?: (stock: Stock, panel: HTMLElement) => void, renew?: (asOf: string) => Promise<void>}} */
const later = {};
/** @type {Promise<void> | null} */
let summoned = null;

/** What lies beside the page's data. */
async function ask(/** @type {string} */ name) {
  const answer = await fetch(new URL(name, /** @type {HTMLAnchorElement} */ (document.querySelector("footer a")).href), { cache: "no-cache" });
  if (!answer.ok) throw new Error(name);
  return answer;
}

/** Show what can be shown without the past, and say why. */
function giveUp(why = "") {
  summoned = null;
  choose({ mode: data.modes[state.mode] ? state.mode : "change", period: data.periods[state.period] ? state.period : "1d", at: "" });
  const reason = why || (location.protocol === "file:" ? "a page in a file may load nothing more, open it on its web server"
    : origin === "null" ? "this frame may load nothing more, open the page by itself" : "they could not be loaded, try again later");
  tell(`History and replay are not available: ${reason}.`);
}

/** Bring what was chosen; `quiet` where the reader did not ask, and need not know if it fails. */
function summon(quiet = false) {
  if (later.attend) return later.attend(quiet);
  if (!data.history) return void setTimeout(giveUp, 0, "none has been kept");
  summoned ??= ask("later.js").then(async (answer) => {
    // The page's policy lets in this script alone, by its hash.
    document.head.append(Object.assign(document.createElement("script"), { textContent: await answer.text() }));
    if (!later.attend) throw new Error("another version");
  });
  summoned.then(() => later.attend?.(quiet), () => { if (!quiet) giveUp(); });
}
