"""The page's own style and script, and the policy that allows these two and nothing else."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark;
  --page: #fff; --card: #f6f8fa; --line: #d0d7de; --text: #1f2328; --soft: #59636e; --link: #0550ae;
  --good: #116329; --good-ground: #dafbe1; --below: #7d4e00; --below-ground: #fff3c2;
  --bad: #a40e26; --bad-ground: #ffe3e0; --unknown: #424a53; --unknown-ground: #e3e8ee;
  --frozen: #cfe3ff; --frozen-edge: #2f6fc4; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0d1117; --card: #161b22; --line: #3d444d; --text: #e6edf3; --soft: #9ea7b3;
  --link: #7cb7ff; --good: #6fdd8b; --good-ground: #0f3320; --below: #f0c24b;
  --below-ground: #3a2d06; --bad: #ff9a92; --bad-ground: #4a1418; --unknown: #c2cad4;
  --unknown-ground: #2b323b; --frozen: #17345c; --frozen-edge: #79b0f7; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.5rem 4rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere; }
a { color: var(--link); } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .2rem 0 1rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .8rem; }
h3 { font-size: 1.1rem; margin: 0; } h4 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0; } ul { margin: .3rem 0; padding-left: 1.3rem; }
.kicker, .soft { color: var(--soft); } .kicker { margin: 0; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr));
  gap: .7rem 1.5rem; margin: 1.2rem 0; }
.facts dt { color: var(--soft); font-size: .85rem; } .facts dd { margin: 0; }
.badge { display: inline-block; padding: 0 .55em; border-radius: 1em; font-weight: 600;
  white-space: nowrap; border: 1px solid currentColor; }
.good { color: var(--good); background: var(--good-ground); }
.below { color: var(--below); background: var(--below-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.unknown { color: var(--unknown); background: var(--unknown-ground); }
.answer { border-left: .45rem solid; padding: .7rem 1rem; font-size: 1.1rem; }
.answer strong { font-size: 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 44rem;
  font-size: .92rem; margin: .4rem 0; }
caption { text-align: left; color: var(--soft); padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 9rem; overflow-wrap: anywhere; }
th .soft { font-weight: 400; }
time, td { font-variant-numeric: tabular-nums; }
code { overflow-wrap: anywhere;
  font: .88em/1.4 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; }
article { border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.3rem;
  margin: 1.2rem 0; content-visibility: auto; contain-intrinsic-size: auto 40rem; }
article > header { display: flex; flex-wrap: wrap; gap: .4rem .9rem; align-items: baseline; }
.problems { list-style: none; padding: 0; } .problems li { margin: .5rem 0; padding: .5rem .8rem;
  border-left: .3rem solid; } .problems p { color: var(--text); }
.problems .note { color: var(--soft); padding: 0 .8rem; margin: .3rem 0; }
.note b, .note b + p { display: inline; font-weight: normal; } .note b::after { content: ": "; }
.filter { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: .6rem 0; }
.filter label { display: grid; font-size: .85rem; color: var(--soft); }
input, select { font: inherit; color: var(--text); background: var(--page); padding: .3rem .5rem;
  border: 1px solid var(--soft); border-radius: .3rem; min-width: 13rem; height: 2.3rem; }
[hidden] { display: none !important; }
figure { margin: .9rem 0 .2rem; } figcaption { font-size: .85rem; color: var(--soft); }
svg { display: block; width: 100%; height: auto; min-width: 40rem; }
svg text { fill: var(--text); font-size: 13px; } svg .s { fill: var(--soft); font-size: 12px; }
svg .m { text-anchor: middle; } svg .e { text-anchor: end; }
svg .axis { stroke: var(--line); } svg .tick { stroke: var(--line); stroke-dasharray: 2 4; }
svg .frozen { fill: var(--frozen); } svg .edge { stroke: var(--frozen-edge); stroke-width: 2; }
svg .edge.open { stroke-dasharray: 3 4; } svg .event { fill: none; stroke: var(--soft); }
svg .dot { fill: var(--page); stroke: var(--soft); }
svg .n { font-size: 10.5px; text-anchor: middle; }
svg .cut.open { fill-opacity: .15; stroke-dasharray: 4 3; }
svg .cut.good { fill: var(--good); stroke: var(--good); }
svg .cut.below { fill: var(--below); stroke: var(--below); }
svg .cut.unknown { fill: var(--unknown); stroke: var(--unknown); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .88rem; }
@media print {
  :root { --page: #fff; --card: #fff; --line: #c3c9d0; --text: #000; --soft: #444; --link: #000;
    --good: #116329; --good-ground: #eefbf1; --below: #7d4e00; --below-ground: #fff8dd;
    --bad: #a40e26; --bad-ground: #fff0ee; --unknown: #424a53; --unknown-ground: #f0f2f5;
    --frozen: #dbe9ff; --frozen-edge: #2f6fc4; }
  @page { margin: 16mm 14mm; size: A4; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  html { font-size: 9.5pt; } body { max-width: none; padding: 0; font-size: 1rem; }
  .wide { overflow: visible; } thead th { white-space: normal; }
  .filter, .skip { display: none; } a { text-decoration: none; }
  article { content-visibility: visible; border-radius: 0; padding: .6rem .9rem; }
  figure, tr, .problems li, article > header, dl.facts { break-inside: avoid; }
  h2, h3, h4, article > header { break-after: avoid; } thead { display: table-header-group; }
  svg, table { min-width: 0; } }
"""

SCRIPT = """
(() => {
  const filter = document.getElementById("filter");
  if (!filter) return;
  const [name, verdict] = filter.querySelectorAll("input, select");
  const count = document.getElementById("count");
  const rows = [...document.querySelectorAll("tr[data-verdict]")];
  const show = () => {
    const wanted = name.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(wanted)
        && (!verdict.value || row.dataset.verdict === verdict.value);
      row.hidden = !fits;
      const article = document.getElementById(row.dataset.of);
      if (article) article.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown + " of " + rows.length + " machines";
  };
  filter.hidden = false;
  filter.addEventListener("input", show);
  filter.addEventListener("submit", event => event.preventDefault());
  show();
})();
"""


def policy() -> str:
    """The Content-Security-Policy under which a browser shows the page."""
    style, script = map(_source, (STYLE, SCRIPT))
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return f"{nothing}; style-src {style}; script-src {script}"


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
