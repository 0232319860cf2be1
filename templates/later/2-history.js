// The history: longer periods and further modes, put beside the page's own once they are here.

/** @typedef {{as_of: string, periods: Record<string, {since: string, label: string, adjusted: number}>,
    modes: Record<string, Mode & {label: string, formula: string, caveat: string}>, readings: Record<string, Reading>,
    unavailable: Record<string, string>, adjusted: Record<string, string>, guesses: Record<string, Record<string, string>>,
    doubts: Record<string, Record<string, string>>, sparks: Sparks}} Past */

/** @type {Past | null} */
let past = null;
/** @type {Promise<void> | null} */
let loading = null;

/** Have the history of this moment here; one that is newer than the page has the page refreshed first. */
async function load(/** @type {string} */ asOf) {
  if (past?.as_of === asOf) return;
  past = await (await ask("history.json")).json();
}

/** Put the history beside the page's own figures: stocks are named by their places, so it must be of the same moment. */
function merge() {
  if (!past || past.as_of !== clock.as_of) return false;
  const { periods, modes, readings, unavailable, adjusted, guesses, sparks } = past;
  data.periods = { ...periods, ...data.periods };
  data.modes = { ...modes, ...data.modes };
  data.readings = { ...readings, ...data.readings };
  Object.assign(data, { unavailable, adjusted, guesses, sparks, doubts: { ...data.doubts, ...past.doubts } });
  explain(modes);
  return true;
}

/** Put the history's modes into the help, once. */
function explain(/** @type {Past["modes"]} */ modes) {
  const list = /** @type {Element} */ (document.querySelector("#help dl"));
  for (const [name, { label, unit, formula, caveat }] of Object.entries(modes)) {
    if (list.querySelector(`[data-mode="${name}"]`)) continue;
    const term = make("dt", "", `${label}, ${unit}`);
    term.dataset.mode = name;
    list.append(term, make("dd", "", `${formula} ${caveat}`));
  }
}

async function bring() {
  await load(clock.as_of);
  if (merge()) return;
  await refresh(); // which asks for the history again
  if (past?.as_of !== clock.as_of) throw new Error("the page and its history are of different moments");
}

/** Bring what is not here yet, and draw it. `quiet`: for the lines of a panel only. */
function attend(/** @type {boolean} */ quiet) {
  if (state.at) void openReplay();
  if (loading || data.sparks || (!quiet && !isComing())) return;
  loading = bring().then(() => draw(), () => { if (isComing()) giveUp(); }).finally(() => { loading = null; });
}

later.merge = merge;
later.renew = async (asOf) => {
  if (past) await load(asOf).catch(() => {}); // then it is asked for once more when it is missed
  if (replay) await loadReplay().catch(() => {});
};

/** What a period owes to splits and bonuses, after the caption; and in a stock's panel. */
function tellAdjusted() {
  const count = past?.periods[shown.over]?.adjusted;
  if (!count || isComing() || state.at) return;
  const guesses = Object.keys(past?.guesses[shown.over] ?? {}).length;
  const probably = guesses ? `, ${guesses < count ? `${guesses} of them ` : ""}probably` : "";
  byId("caption").append(` · adjusted for splits and bonuses: ${count} ${count > 1 ? "stocks" : "stock"}${probably}`);
}
