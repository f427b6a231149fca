"""How a page looks: light, dark and on paper."""

STYLE = """
:root { --ink: #1b1f24; --quiet: #57606a; --paper: #ffffff; --card: #f4f6f8; --line: #d0d7de;
  --link: #0b57a4; --weight: #0072b2; --second: #b34700; --bad: #b3261e; --good: #1a7f37; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --quiet: #a3adb8; --paper: #14181d;
  --card: #1e242b; --line: #3a434d; --link: #79b8ff; --weight: #56b4e9; --second: #f0a03c;
  --bad: #ff8a80; --good: #7ddf96; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: break-word; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { max-width: 45rem; } .quiet { color: var(--quiet); font-size: .9rem; }
.signature { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: .5rem 0; }
dt { color: var(--quiet); font-size: .85rem; } dd { margin: 0; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; }
caption { text-align: left; color: var(--quiet); font-size: .9rem; padding-bottom: .25rem; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { font-size: .85rem; } tbody th { font-weight: normal; }
table.text th, table.text td { overflow-wrap: anywhere; min-width: 5em; }
table.text tbody th { overflow-wrap: break-word; }
table.numbers td, table.numbers thead th + th { text-align: right; font-variant-numeric: tabular-nums; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .75rem; }
summary { cursor: pointer; overflow-wrap: anywhere; } details[open] > summary { margin-bottom: .5rem; }
figure { margin: .75rem 0; }
img.plot { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: .4rem; padding: .5rem; }
svg.matrix { display: block; max-width: 100%; height: auto; }
svg.matrix text { fill: var(--ink); font: 11px system-ui, sans-serif; unicode-bidi: plaintext; }
svg.matrix .cells { fill: var(--weight); } svg.matrix .frame { fill: none; stroke: var(--line); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: .5rem 1.5rem; }
.plots figure { margin: .5rem 0; min-width: 0; }
svg.curves { display: block; width: 100%; height: auto; }
svg.curves text { fill: var(--quiet); font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg.curves text.title { fill: var(--ink); font-size: 13px; font-weight: 600; }
svg.curves .end { text-anchor: end; } svg.curves .middle { text-anchor: middle; }
svg.curves .grid { stroke: var(--line); stroke-width: .6; } svg.curves .axis { stroke: var(--quiet); }
svg.curves .line { fill: none; stroke: var(--weight); stroke-width: 1.8; stroke-linejoin: round; }
svg.curves .line-1 { stroke: var(--second); stroke-dasharray: 6 3; }
svg.curves .line-2 { stroke: var(--good); stroke-dasharray: 2 3; }
svg.curves .mark { fill: var(--paper); stroke: var(--weight); stroke-width: 1.5; stroke-dasharray: none; }
svg.curves .mark.line-1 { stroke: var(--second); } svg.curves .mark.line-2 { stroke: var(--good); }
.multiples { display: flex; gap: 1rem; align-items: flex-start; } .multiples figure { flex: none; margin: 0; }
.multiples svg.matrix { max-width: none; }
figcaption { font-size: .85rem; color: var(--quiet); }
pre { font: .85rem/1.45 ui-monospace, monospace; margin: 0; }
@media print {
  :root { --ink: #000000; --quiet: #444444; --paper: #ffffff; --card: #ffffff; --line: #999999; --link: #000000;
    --weight: #0072b2; --second: #b34700; }
  main { max-width: none; padding: 0; } nav { display: none; } .scroll { overflow: visible; }
  .multiples { flex-wrap: wrap; } pre { white-space: pre-wrap; }
  details, figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""
"""Colors keep a contrast of 4.5 to 1 or more on their background, in both schemes."""
