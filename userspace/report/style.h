// SPDX-License-Identifier: Apache-2.0
// How the page looks: light and dark, on a telephone and on paper.
#pragma once

namespace weir::report {

constexpr const char *style = R"(
:root{--ink:#1b2430;--dim:#5b6776;--line:#d5dbe3;--ground:#fff;--card:#f5f7fa;--out:#b3372f;--in:#2f6fb3;
--good:#1d7044;--warn:#8a5a00;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa6b5;--line:#36404d;--ground:#12171e;--card:#1b222c;
--out:#e8776f;--in:#6fa8e8;--good:#6fcf97;--warn:#e0b050;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 4rem}
header{border-bottom:2px solid var(--ink);margin-bottom:1.25rem}
h1{font-size:1.7rem;line-height:1.2;margin:.1rem 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.25rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
header p{margin:.1rem 0 .6rem;color:var(--dim)}
.kind{text-transform:uppercase;letter-spacing:.08em;font-size:.75rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem}
.card b{display:block;font-size:1.35rem;line-height:1.2;font-variant-numeric:tabular-nums}
.card span{color:var(--dim);font-size:.85rem}
.card.good b,.verdict.good{color:var(--good)}.card.warn b,.verdict.warn{color:var(--warn)}
.card.bad b,.verdict.bad{color:var(--bad)}
.verdict{font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th{text-align:left;font-weight:600}thead th{color:var(--dim);border-bottom:1px solid var(--ink);vertical-align:bottom}
th,td{padding:.3rem .9rem .3rem 0;vertical-align:top}
tbody th,td{border-bottom:1px solid var(--line);overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.n{text-align:right;white-space:nowrap}tbody .w{overflow-wrap:normal}.t{white-space:nowrap}
.dim td,.dim th,.none{color:var(--dim)}
.bar{display:block;min-width:5rem;height:.4rem;margin:.2rem 0 .1rem}.bar span{display:block;height:100%;margin-left:auto;background:var(--out);border-radius:2px}
code{font:.85em ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere;word-break:break-all}
figure{margin:1rem 0}svg{width:100%;height:auto;display:block}
svg line{stroke:var(--dim)}svg line.grid{stroke:var(--line);stroke-dasharray:4 4}
svg text{fill:var(--dim);font-size:12px}svg text.on{fill:var(--ground)}
rect.out{fill:var(--out)}rect.in,rect.policy{fill:var(--in)}rect.policy,rect.window{stroke:var(--ground)}rect.window{fill:var(--warn)}rect.gap{fill:var(--bad)}
figcaption{color:var(--dim);font-size:.85rem}
i.out,i.in{display:inline-block;width:.7rem;height:.7rem;border-radius:2px}i.out{background:var(--out)}i.in{background:var(--in)}
ins{color:var(--good);text-decoration:none}del{color:var(--bad);text-decoration:none}
.signature p+p{display:flex;gap:2rem;flex-wrap:wrap;margin-top:3.5rem}
.signature span{flex:1 1 10rem;border-top:1px solid var(--ink);padding-top:.2rem;color:var(--dim);font-size:.85rem}
@media screen and (max-width:52rem){main{padding:1rem .9rem 3rem}h1{font-size:1.35rem}svg text{font-size:22px}
.cards{grid-template-columns:1fr 1fr}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,tbody th,td{display:block}tr{border-bottom:1px solid var(--ink);padding:.4rem 0}
tbody th,td{border:0;padding:.1rem 0;display:grid;grid-template-columns:7rem minmax(0,1fr);gap:.5rem}
.cards>:last-child:nth-child(odd){grid-column:1/-1}tbody .n{text-align:left;white-space:normal}tbody .w{overflow-wrap:anywhere}.bar span{margin-left:0}
tbody th::before,td::before{content:attr(data-name);color:var(--dim);font-weight:400}
td:empty{display:none}}
@media print{:root{--ink:#000;--dim:#444;--line:#bbb;--ground:#fff;--card:#fff;--out:#b3372f;--in:#2f6fb3;
--good:#1d7044;--warn:#8a5a00;--bad:#b3261e}
@page{size:A4;margin:16mm 14mm;@bottom-right{content:counter(page) " / " counter(pages);font:8pt sans-serif;color:#444}}
body{font-size:10pt}.cards{grid-template-columns:repeat(auto-fit,minmax(6rem,1fr))}.card b{font-size:1.15rem}main{max-width:none;padding:0}table{font-size:8pt}
thead{display:table-header-group}tr,figure,.card,.signature{break-inside:avoid}h2,h3{break-after:avoid}
th,td{padding-right:.5rem}.bar{display:block;min-width:5rem;height:.4rem;margin:.2rem 0 .1rem}.bar span{display:block;height:100%;margin-left:auto;background:var(--out);border-radius:2px}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)";

} // namespace weir::report
