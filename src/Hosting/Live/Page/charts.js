"use strict";
// Curves: one x range for all of them, smoothing and zoom. Data are columns as /api/history gives them.
const Charts = (() => {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const si = (v, digits = 3) => {
    if (v == null || !isFinite(v)) return "–";
    const a = Math.abs(v);
    if (a >= 1e9) return +(v / 1e9).toPrecision(digits) + "G";
    if (a >= 1e6) return +(v / 1e6).toPrecision(digits) + "M";
    if (a >= 1e4) return +(v / 1e3).toPrecision(digits) + "k";
    if (a < 1e-20) return "0"; // what smoothing leaves of a value long ago
    if (a < 1e-3) return v.toExponential(1);
    return String(+v.toPrecision(4));
  };
  // Exponential moving average that begins at the first value (bias corrected, as TensorBoard's).
  const smooth = (values, weight) => {
    if (!weight) return values;
    const out = new Array(values.length);
    let mean = 0, mass = 0;
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      if (v == null) { out[i] = null; continue; }
      mean = mean * weight + v * (1 - weight);
      mass = mass * weight + (1 - weight);
      out[i] = mean / mass;
    }
    return out;
  };

  const MOST_MARKED = 150; // evaluations with a dot each; more would hide the line
  const state = { columns: null, weight: 0.6, log: false, range: null, plots: {}, onRange: () => {} };
  const sync = uPlot.sync("steps");

  function axes(log) {
    const line = { stroke: colour("--line"), width: 1 };
    const font = "12px system-ui, sans-serif";
    return [
      { stroke: colour("--dim"), grid: line, ticks: line, font, values: (u, vs) => vs.map(v => v == null ? "" : si(v, 4)), space: 70 },
      { stroke: colour("--dim"), grid: line, ticks: line, font, values: (u, vs) => vs.map(v => v == null ? "" : si(v)), size: 56 },
    ];
  }

  // What the legend leaves: it has two lines where it does not fit into one.
  const heightOf = element => Math.max(110, element.clientHeight - (element.id === "loss" && element.clientWidth < 480 ? 58 : 30));

  function options(element, series, { log = false, bands = [], zero = false } = {}) {
    return {
      width: Math.max(200, element.clientWidth), height: heightOf(element),
      cursor: { sync: { key: sync.key, setSeries: false }, drag: { x: true, y: false, setScale: false }, focus: { prox: -1 } },
      scales: {
        x: { time: false, range: (u, min, max) => state.range ?? (min == null ? [0, 1] : [min, max === min ? min + 1 : max]) },
        y: log ? { distr: 3 } : { range: (u, min, max) => {
          if (min == null) return [0, 1];
          if (zero) return [0, max <= 0 ? 1 : max * 1.08];
          const pad = (max - min || Math.abs(max) || 1) * 0.07;
          return [min - pad, max + pad];
        } },
      },
      axes: axes(log), series: [{ label: "step", value: (u, v) => v == null ? "–" : v.toLocaleString("en") }, ...series], bands,
      legend: { live: true },
      hooks: {
        setSelect: [u => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, "x"), to = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          state.onRange([Math.max(0, from), to]);
        }],
      },
    };
  }

  function build() {
    for (const plot of Object.values(state.plots)) plot.destroy();
    const line = (label, stroke, extra = {}) => ({ label, stroke, width: 1.6, spanGaps: true, points: { show: false }, value: (u, v) => si(v, 5), ...extra });
    const accent = colour("--accent"), second = colour("--second"), faint = colour("--band");
    const at = id => document.getElementById(id);
    const make = (id, series, more) => { state.plots[id] = new uPlot(options(at(id), series, more), [[0], ...series.map(() => [null])], at(id)); };
    make("loss", [
      line("least", "transparent", { width: 0 }), line("greatest", "transparent", { width: 0 }),
      line("loss", accent, { width: 2 }),
      line("validation", second, { width: 1.6, points: { show: () => (state.columns?.evaluations.length ?? 0) <= MOST_MARKED, size: 6, fill: second } }),
    ], { log: state.log, bands: [{ series: [2, 1], fill: faint }] });
    make("speed", [line("tokens/s", accent)], { zero: true });
    make("rate", [line("learning rate", accent)], { zero: true });
    make("norm", [line("gradient norm", accent)], { zero: true });
    make("wait", [line("share", accent)], { zero: true });
    for (const plot of Object.values(state.plots)) {
      plot.over.addEventListener("dblclick", () => state.onRange(null));
      plot.over.addEventListener("mouseleave", () => setTimeout(() => rest(plot), 0));
    }
    draw();
  }

  // Validation is told at a few steps: they become points of the same x axis.
  function merge(columns) {
    const evaluations = new Map(columns.evaluations ?? []);
    const steps = columns.step.slice(), rest = [];
    const known = new Set(steps);
    for (const [step] of evaluations) if (!known.has(step)) rest.push(step);
    if (!rest.length) return { steps, place: null, evaluations };
    const all = [...steps, ...rest].sort((a, b) => a - b);
    const index = new Map(columns.step.map((s, i) => [s, i]));
    return { steps: all, place: all.map(s => index.get(s) ?? -1), evaluations };
  }

  function draw() {
    const c = state.columns;
    if (!c || !c.step.length) return;
    const { steps, place, evaluations } = merge(c);
    const spread = values => place ? place.map(i => i < 0 ? null : values[i]) : values;
    const loss = spread(smooth(c.loss, state.weight));
    const positive = v => state.log && v != null && v <= 0 ? null : v;
    state.plots.loss.setData([steps,
      spread(c.loss_min ?? c.loss).map(positive), spread(c.loss_max ?? c.loss).map(positive), loss.map(positive),
      steps.map(s => evaluations.has(s) ? evaluations.get(s) : null)]);
    rest(state.plots.loss);
    for (const [id, name] of [["speed", "tokens_per_second"], ["rate", "learning_rate"], ["norm", "gradient_norm"], ["wait", "data_wait_ratio"]])
      state.plots[id].setData([c.step, id === "rate" ? c[name] : smooth(c[name], Math.min(state.weight, 0.9))]);
    for (const id of ["speed", "rate", "norm", "wait"]) rest(state.plots[id]);
  }

  // While nobody points at the curves the legend tells the last values.
  function rest(plot) {
    if (plot.cursor.idx != null && plot.cursor.left >= 0) return;
    const idxs = plot.data.map(values => { for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return i; return null; });
    plot.setLegend({ idxs }, false);
  }

  function resize() {
    for (const [id, plot] of Object.entries(state.plots)) {
      const element = document.getElementById(id);
      plot.setSize({ width: Math.max(200, element.clientWidth), height: heightOf(element) });
    }
  }

  return { state, build, draw, resize, si };
})();
