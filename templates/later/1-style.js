// How what later.js adds looks: the page's own style is for what everybody sees.
document.head.append(make("style", "", `
#panel .spark { display: grid; grid-template-columns: 80px 160px; align-items: center; white-space: nowrap; gap: 0 10px; margin-top: 8px; color: var(--quiet); }
#panel .spark + .spark { margin-top: 10px; }
.spark svg { width: 160px; height: 28px; overflow: visible; color: var(--text); }
.spark path { fill: none; stroke: currentColor; stroke-width: 1.25; stroke-linejoin: round; stroke-linecap: round; }
.spark circle { fill: currentColor; }
#replay { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px; padding: 6px 10px; margin-bottom: 8px; border-radius: 4px; background: var(--raised); color: var(--quiet); }
#replay button, #replay select { background: var(--ground); }
#replay .steps { display: flex; gap: 4px; }
#replay .steps button { display: inline-flex; align-items: center; justify-content: center; width: 30px; padding: 0; }
#replay time { color: var(--text); font-weight: 600; min-width: 5ch; }
#moment { flex: 1 1 160px; min-width: 0; min-height: 28px; margin: 0; padding: 0; border: 0; background: none; accent-color: var(--quiet); cursor: pointer; }
#moment:focus-visible { outline-offset: 0; }
#replay label { display: inline-flex; align-items: center; gap: 5px; white-space: nowrap; }
#follow { min-height: 0; margin: 0; accent-color: var(--quiet); }
#live { margin-left: auto; }
#replay .hint { flex-basis: 100%; font-size: 12px; }
@media (max-width: 800px) {
  #moment, #replay time { order: -1; }
  #moment { flex-basis: calc(100% - 7ch - 12px); }
  #replay time { text-align: right; }
  #replay .hint { order: 1; flex: 1 1 140px; }
  #live { order: 2; }
}
@media print { #replay { display: none; } }
`));
