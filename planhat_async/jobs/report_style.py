"""The style of a report."""

STYLE = """
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --ink: #1d2733; --dim: #5b6673; --line: #d9dfe6;
  --grid: #e4e8ed; --blue: #2f6fde; --good: #3a8f5c; --bad: #b3261e; --bar-bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --card: #1b2128; --ink: #e6eaef; --dim: #9fabb7;
  --line: #333c46; --grid: #2b333c; --blue: #6ea0ff; --good: #58b37e; --bad: #ff9a8f; --bar-bad: #e0695d; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 1240px;
  margin: 0 auto; padding: 24px 16px; }
h1, h2, p, td { overflow-wrap: anywhere; }
h1 { font-size: 1.5em; line-height: 1.25; margin: 0; } h2 { font-size: 1.05em; margin: 0 0 10px; }
p { margin: 4px 0 0; } .dim { color: var(--dim); } .bad { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 16px; }
.cards, section { margin-top: 16px; } .cards section { margin: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; min-width: 0; }
.figures { display: flex; flex-wrap: wrap; gap: 10px 36px; margin: 16px 0 0; padding: 0; }
.figures div { display: flex; flex-direction: column-reverse; } dd { margin: 0; font-size: 1.7em; font-weight: 600;
  line-height: 1.2; } dt { color: var(--dim); } .small dd { font-size: 1.15em; } .small { margin: 0; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--grid); }
thead td, thead th { border-top: 0; }
.plain { color: var(--ink); font-weight: 400; white-space: normal; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
.n { text-align: right; white-space: nowrap; width: 1%; font-variant-numeric: tabular-nums; }
.stack td:first-child { white-space: nowrap; }
.bar { width: 45%; } .bar span { display: block; height: 14px; margin-top: 4px; border-radius: 2px; min-width: 2px; }
.good .bar span { background: var(--good); } .wrong .bar span { background: var(--bar-bad); }
svg { display: block; width: 100%; height: auto; } text { font: 13px system-ui, sans-serif; fill: var(--dim); }
.mark { fill: var(--blue); fill-opacity: .6; } polyline { fill: none; stroke: var(--blue); stroke-width: 2; }
.grid { stroke: var(--grid); } .limit { stroke: var(--bad); stroke-dasharray: 5 4; }
@media (max-width: 560px) { body { padding: 16px 10px; } section { padding: 12px; }
  .stack thead { display: none; } .stack tr { display: block; padding: 6px 0; border-top: 1px solid var(--grid); }
  .stack tr:first-child { border-top: 0; padding-top: 0; }
  .stack td { display: block; border: 0; padding: 0; text-align: left; width: auto; white-space: normal !important; }
  .stack th { display: block; padding: 0; border: 0; }
  .stack td[data-head]::before { content: attr(data-head) ": "; color: var(--dim); }
  .bar { width: 25%; }
  th { white-space: normal; overflow-wrap: anywhere; } .figures { gap: 10px 24px; } }
@media print { :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --dim: #444; --line: #bbb;
  --grid: #ddd; --blue: #2f6fde; --good: #3a8f5c; --bad: #b3261e; --bar-bad: #b3261e; }
  body { padding: 0; font-size: 12px; } section { break-inside: avoid; }
  .cards { grid-template-columns: 1fr 1fr 1fr; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
