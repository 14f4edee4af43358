/** The style of the pages. The colours of text have a contrast of at least 4.5 to 1 against their background (WCAG 2.2, AA). */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --link: #0550ae;
  --ok: #116329; --ok-back: #dafbe1; --warning: #7a4b00; --warning-back: #fff4d1; --critical: #a40e26; --critical-back: #ffe9e6; --spark: #0969da;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9da7b3; --line: #30363d; --link: #79c0ff;
    --ok: #56d364; --ok-back: #0f2a17; --warning: #e3b341; --warning-back: #2c2206; --critical: #ff9492; --critical-back: #3a1214; --spark: #58a6ff;
  }
}
* { box-sizing: border-box }
body { background: var(--back); color: var(--text); font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; overflow-wrap: anywhere }
a { color: var(--link) }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px }
h1, h2, h3 { line-height: 1.25; margin: 0 }
h1 { font-size: .95rem; font-weight: 600; color: var(--soft) }
h2 { font-size: 1rem; margin: 1.5rem 0 .6rem }
h3 { font-size: 1rem }
p { margin: 0 }
.soft { color: var(--soft) }
.headline { border-left: .4rem solid; border-radius: .4rem; font-size: 1.3rem; font-weight: 600; line-height: 1.3; margin: .5rem 0 .4rem; padding: .6rem .9rem }
.ok { color: var(--ok) } .warning { color: var(--warning) } .critical { color: var(--critical) }
.headline.ok { background: var(--ok-back) } .headline.warning { background: var(--warning-back) } .headline.critical { background: var(--critical-back) }
.facts { color: var(--soft); display: flex; flex-wrap: wrap; font-size: .88rem; gap: .1rem 1rem }
#stale { background: var(--critical-back); color: var(--critical); border-radius: .4rem; font-weight: 600; margin-bottom: .6rem; padding: .6rem .9rem }
.problems { list-style: none; margin: .8rem 0 0; padding: 0; display: grid; gap: .6rem }
.problem, .card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; min-width: 0 }
.problem { border-left: .3rem solid }
.problem > * { color: var(--text) }
.problem .severity { font-weight: 600 }
.problem h3 { display: inline }
.problem.critical .severity { color: var(--critical) } .problem.warning .severity { color: var(--warning) }
.problem .reason { margin: .2rem 0 }
.problem .action { color: var(--soft) }
.cards { align-items: start; display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)) }
.card > header { align-items: baseline; display: flex; flex-wrap: wrap; gap: .1rem .6rem; justify-content: space-between }
.state { font-weight: 600 }
.card .reason { border-left: .2rem solid; margin: .4rem 0; padding-left: .6rem }
dl { margin: .4rem 0 0 }
dl > div { border-top: 1px solid var(--line); display: grid; gap: 0 .8rem; grid-template-columns: auto minmax(9rem, 1fr); padding: .25rem 0 }
dt { color: var(--soft) }
dd { margin: 0; min-width: 0; text-align: right }
dd.long { grid-column: 1 / -1; text-align: left }
.time { display: inline-block }
.time summary { cursor: pointer; list-style: none; min-height: 1.5rem; text-decoration: underline dotted; text-underline-offset: .2em }
.time summary::-webkit-details-marker { display: none }
.time .absolute { color: var(--soft); display: block; font-size: .85rem; font-variant-numeric: tabular-nums }
.lines { display: grid; gap: .2rem .8rem; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); margin-top: .5rem }
.lines figure { margin: 0; min-width: 0 }
figcaption { color: var(--soft); font-size: .82rem }
.spark { display: block; height: 1.75rem; width: 100% }
.spark polyline { fill: none; stroke: var(--spark); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round }
.spark .base { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke }
.meter { background: var(--line); border-radius: .25rem; height: .5rem; margin: .5rem 0; overflow: hidden; width: 100%; display: block }
.meter rect.used { fill: var(--spark) } .meter.warning rect.used { fill: var(--warning) } .meter.critical rect.used { fill: var(--critical) }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 1.5rem 0 0 }
nav a { display: inline-block; padding: .2rem 0 }
.document { max-width: 50rem }
.document h1 { color: var(--text); font-size: 1.4rem; margin: 1rem 0 } .document h2 { font-size: 1.2rem } .document h3 { margin: 1.2rem 0 .4rem } .document h4 { margin: 1rem 0 .3rem }
.document p, .document li { margin: .4rem 0 }
.document pre { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; padding: .6rem .8rem }
.document .wide { overflow-x: auto }
.document table { border-collapse: collapse } .document th, .document td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
.document :target { outline: 2px solid var(--link); outline-offset: 4px }
@media (max-width: 30rem) { body { padding: .7rem } .headline { font-size: 1.12rem } }
`
