//! How the page looks: by light and by dark, on a screen and on paper.

/// The style sheet. It names no other file.
pub(super) const STYLE: &str = r#"
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --card: #ffffff; --ink: #1c2024; --soft: #5b646e; --line: #d9dde1;
  --fraud: #b3261e; --genuine: #1f6fb2; --unknown: #8a939c; --heat: 31, 111, 178;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --card: #1c2125; --ink: #e8eaed; --soft: #a4adb6; --line: #343b42;
    --fraud: #ff8a80; --genuine: #7cc0f5; --unknown: #7d8791; --heat: 124, 192, 245;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p { max-width: 46rem; }
.soft { color: var(--soft); }
.partial { border-left: .3rem solid var(--fraud); padding-left: .75rem; font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; padding: 0; }
.tiles li { list-style: none; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; padding: .6rem .8rem; color: var(--soft); }
th, td { padding: .4rem .8rem; text-align: left; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.heat td { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; overflow-x: auto; }
figcaption { color: var(--soft); font-size: .9rem; margin-bottom: .5rem; }
svg { display: block; max-width: 100%; height: auto; min-width: 36rem; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .soft { fill: var(--soft); }
svg .axis { stroke: var(--line); }
.fraud { fill: var(--fraud); } .genuine { fill: var(--genuine); } .unknown { fill: var(--unknown); }
.key span { display: inline-block; margin-right: 1.2rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; margin-right: .35rem; vertical-align: -.05rem; }
i.fraud { background: var(--fraud); } i.genuine { background: var(--genuine); } i.unknown { background: var(--unknown); }
@media print { body { background: #fff; } main { max-width: none; padding: 0; } figure, .wide { break-inside: avoid; } }
"#;
