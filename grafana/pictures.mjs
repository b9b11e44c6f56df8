// Pictures of what a Prometheus returns for every panel of the dashboards, a page a dashboard, drawn by Chromium:
//   node grafana/pictures.mjs http://localhost:9090 docs/grafana 10m
// Needs Node 18 and chromium; nothing of npm.
import { readFileSync, writeFileSync, readdirSync, mkdirSync, rmSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [url = "http://localhost:9090", out = "docs/grafana", range = "10m"] = process.argv.slice(2);
const seconds = parseInt(range) * { s: 1, m: 60, h: 3600 }[range.at(-1)];
const page = join(here, "../src/Hosting/Live/Page");
mkdirSync(out, { recursive: true });

async function query(expression) {
  const end = Date.now() / 1000, step = Math.max(1, seconds / 300);
  const text = expression.replaceAll("$__rate_interval", "20s").replaceAll("$__interval", "20s").replaceAll("$instance", ".*");
  const answer = await (await fetch(`${url}/api/v1/query_range?query=${encodeURIComponent(text)}&start=${end - seconds}&end=${end}&step=${step}`)).json();
  if (answer.status !== "success") throw new Error(`${text}: ${answer.error}`);
  return answer.data.result;
}

for (const file of readdirSync(join(here, "dashboards")).filter(name => name.endsWith(".json"))) {
  const board = JSON.parse(readFileSync(join(here, "dashboards", file), "utf8"));
  const panels = [];
  for (const panel of board.panels) {
    const series = [];
    for (const target of panel.targets ?? [])
      for (const result of await query(target.expr)) {
        const label = target.legendFormat === "__auto" ? Object.entries(result.metric).filter(([k]) => !["__name__", "instance", "job"].includes(k)).map(([, v]) => v).join(", ")
          : target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_, k) => result.metric[k] ?? "");
        series.push({ label, values: result.values.map(([t, v]) => [t, Number(v)]) });
      }
    panels.push({ title: panel.title, row: panel.type === "row", unit: panel.fieldConfig?.defaults.unit, w: panel.gridPos.w, h: panel.gridPos.h, series });
  }
  const html = `<!doctype html><meta charset="utf-8"><style>${readFileSync(join(page, "uplot.css"))}
body{margin:14px;font:13px system-ui,"Noto Sans";background:#f5f6f8;width:1400px}h1{font-size:18px;margin:0 0 10px}
.grid{display:grid;grid-template-columns:repeat(24,1fr);gap:8px}.row{grid-column:1/-1;font-weight:650;padding-top:6px}
.panel{background:#fff;border:1px solid #dfe3e8;border-radius:6px;padding:8px;min-width:0}.panel b{font-weight:600}.none{color:#888;padding:30px 0;text-align:center}
.u-legend{font-size:11px;text-align:left}.u-legend.u-inline tr{margin-right:8px}.u-value{display:none}</style><h1>${board.title}</h1><div class="grid"></div>
<script>${readFileSync(join(page, "uplot.js"))}</script><script>
const colours=["#1f6feb","#c2410c","#1a7f45","#9a6700","#8250df","#cf222e","#0e7490","#6e7781","#bf3989","#57606a"];
const si=v=>v==null?"":Math.abs(v)>=1e9?+(v/1e9).toPrecision(3)+"G":Math.abs(v)>=1e6?+(v/1e6).toPrecision(3)+"M":Math.abs(v)>=1e4?+(v/1e3).toPrecision(3)+"k":v!==0&&Math.abs(v)<1e-3?v.toExponential(1):String(+v.toPrecision(4));
for(const p of ${JSON.stringify(panels)}){const e=document.createElement("div");document.querySelector(".grid").append(e);
 if(p.row){e.className="row";e.textContent=p.title;continue}
 e.className="panel";e.style.gridColumn="span "+p.w;const b=document.createElement("b");b.textContent=p.title+(p.unit&&p.unit!=="short"?" ("+p.unit+")":"");e.append(b);
 const finite=p.series.filter(s=>s.values.some(v=>Number.isFinite(v[1])));
 if(!finite.length){const n=document.createElement("div");n.className="none";n.textContent="no data";e.append(n);continue}
 const times=[...new Set(finite.flatMap(s=>s.values.map(v=>v[0])))].sort((a,b)=>a-b);
 const data=[times,...finite.map(s=>{const m=new Map(s.values);return times.map(t=>Number.isFinite(m.get(t))?m.get(t):null)})];
 new uPlot({width:e.clientWidth-4,height:p.h*24,legend:{live:false},cursor:{show:false},scales:{y:{range:(u,a,b)=>[Math.min(0,a),b>0?b*1.08:1]}},
  axes:[{font:"11px system-ui"},{font:"11px system-ui",size:52,values:(u,v)=>v.map(si)}],series:[{},...finite.map((s,i)=>({label:s.label||p.title,stroke:colours[i%10],width:1.6,spanGaps:true,points:{show:false}}))]},data,e)}
</script>`;
  const source = join(resolve(out), file.replace(".json", ".html")), picture = source.replace(".html", ".png");
  writeFileSync(source, html);
  const rows = Math.max(...board.panels.map(p => p.gridPos.y + p.gridPos.h));
  execFileSync("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000", `--window-size=1430,${120 + rows * 38}`, `--screenshot=${picture}`, `file://${source}`], { stdio: "ignore" });
  rmSync(source);
  console.log(picture, `${panels.filter(p => p.series.length).length} of ${panels.filter(p => !p.row).length} panels with data`);
}
