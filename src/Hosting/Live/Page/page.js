"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const { element, percent } = Pipeline;
  const si = Charts.si;
  const POINTS = 2000, MOST_EVENTS = 300;
  let status = null, columns = null, events = [], followEnd = true, last = 0, loading = false;

  const bytes = v => v == null ? "–" : v >= 1e9 ? (v / 1e9).toFixed(2) + " GB" : v >= 1e6 ? (v / 1e6).toFixed(1) + " MB" : Math.round(v / 1e3) + " kB";
  const span = s => {
    if (s == null || !isFinite(s)) return "–";
    s = Math.round(s);
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    return d ? `${d}d ${h}h` : h ? `${h}h ${m}m` : m ? `${m}m ${s % 60}s` : `${s}s`;
  };
  const read = (name, fallback) => { try { return localStorage.getItem("streaming." + name) ?? fallback; } catch { return fallback; } };
  const keep = (name, value) => { try { localStorage.setItem("streaming." + name, value); } catch { /* private mode: nothing is kept */ } };

  // ---- theme
  const dark = () => (read("theme", null) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function paint() {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    if (Charts.state.plots.loss) Charts.build(); // their colours are painted, not styled
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  // ---- what the run says
  function show(s) {
    status = s;
    document.title = `${s.state === "training" ? "" : s.state + ", "}${s.step.toLocaleString("en")} · ${s.name}`;
    $("name").textContent = s.name;
    $("name").title = s.directory;
    badge(s.state);
    if ($("verdict").className !== "verdict " + s.health) $("verdict-said").textContent = s.verdict; // its figures change twice a second: read aloud once
    $("verdict").className = "verdict " + s.health;
    $("verdict-text").textContent = s.verdict.charAt(0).toUpperCase() + s.verdict.slice(1) + ".";
    $("bar").style.width = Math.min(100, 100 * s.step / s.max_steps) + "%";
    $("progress-step").textContent = `step ${s.step.toLocaleString("en")} of ${s.max_steps.toLocaleString("en")} (${(100 * s.step / s.max_steps).toFixed(1)} %)`;
    $("progress-left").textContent = s.seconds_left != null && s.state === "training" ? `${span(s.seconds_left)} left` : "";
    const e = s.evaluation, g = s.gpu, m = s.memory, c = s.checkpoint;
    tiles([
      ["Loss", s.mean_loss?.toFixed(4), "mean of the last 50 steps"],
      ["Validation", e?.loss?.toFixed(4), e ? `perplexity ${si(e.perplexity)}, best ${e.best_loss.toFixed(4)}` : "not yet evaluated"],
      ["Tokens/s", si(s.tokens_per_second), `${si(s.tokens)} in all`],
      s.mfu != null ? ["MFU", percent(s.mfu), "of the device's peak"] : null,
      ["Step", s.step_seconds == null ? null : s.step_seconds < 1 ? Math.round(s.step_seconds * 1e3) + " ms" : s.step_seconds.toFixed(2) + " s", s.data_wait_ratio == null ? "" : `waits for text ${percent(s.data_wait_ratio)}`],
      ["Learning rate", s.learning_rate == null ? null : s.learning_rate.toExponential(2), `peak ${s.settings.learning_rate}`],
      ["Gradient norm", si(s.gradient_norm), "before clipping"],
      g ? ["GPU", g.utilization_ratio == null ? "–" : percent(g.utilization_ratio), `${g.power_watts == null ? "" : Math.round(g.power_watts) + " W, "}${g.temperature_celsius ?? "–"} °C, ${bytes(g.memory_used_bytes)}`] : null,
      ["Memory", bytes(m.resident_bytes), `${bytes(m.host_available_bytes)} left on the machine`],
      ["Checkpoint", c ? span(c.age_seconds) : null, c ? `old; step ${c.step.toLocaleString("en")}, ${bytes(c.bytes)}` : "none yet"],
    ]);
    Pipeline.draw(s);
    $("engine").textContent = `${s.engine ?? ""}, ${si(s.parameters)} parameters, streaming ${s.version}`;
    const paused = s.state === "paused";
    $("do-pause").replaceChildren(...paused ? ["Resume"] : [element("u", "", "P"), "ause"]);
    $("do-pause").dataset.does = paused ? "resume" : "pause";
    for (const button of document.querySelectorAll(".controls button[id^=do-]"))
      if (!["do-theme", "do-help"].includes(button.id)) button.disabled = !["training", "paused"].includes(s.state);
  }
  function badge(text, className = text) { if ($("state").textContent !== text) $("state").textContent = text; $("state").className = "badge " + className; }
  function tiles(list) {
    const root = $("tiles"), wanted = list.filter(Boolean);
    while (root.children.length > wanted.length) root.lastChild.remove();
    wanted.forEach(([name, value, more], i) => {
      let tile = root.children[i];
      if (!tile) { tile = element("div", "tile"); tile.append(element("span"), element("b"), element("em")); root.append(tile); }
      tile.children[0].textContent = name; tile.children[1].textContent = value ?? "–"; tile.children[2].textContent = more ?? ""; tile.children[2].title = more ?? "";
    });
  }

  // ---- curves
  async function loadHistory() {
    if (loading) return;
    loading = true;
    try {
      const range = Charts.state.range;
      const query = range ? `?from=${Math.floor(range[0])}&to=${Math.ceil(range[1])}&points=${POINTS}` : `?points=${POINTS}`;
      columns = await (await fetch("api/history" + query)).json();
      last = columns.step.at(-1) ?? 0;
      Charts.state.columns = columns;
      Charts.draw();
    } finally { loading = false; }
  }
  function take(frame) {
    show(frame.status);
    if (!columns || !followEnd) return;
    if (frame.gap || (frame.after > last && frame.steps.length) || frame.status.step < last) { loadHistory(); return; }
    for (const [step, loss, norm, rate, speed, wait] of frame.steps) {
      if (step <= last) continue;
      columns.step.push(step); columns.loss.push(loss); columns.loss_min?.push(loss); columns.loss_max?.push(loss);
      columns.gradient_norm.push(norm); columns.learning_rate.push(rate); columns.tokens_per_second.push(speed); columns.data_wait_ratio.push(wait);
      last = step;
    }
    if (columns.step.length > 2 * POINTS) loadHistory(); // fewer, larger buckets
    else if (frame.steps.length) Charts.draw();
  }
  function zoom(range) {
    Charts.state.range = range;
    followEnd = !range;
    loadHistory();
  }
  Charts.state.onRange = zoom;
  function nudge(move, scale) {
    const [from, to] = Charts.state.range ?? [columns?.step[0] ?? 0, last || 1];
    const width = (to - from) * scale, middle = (from + to) / 2 + move * (to - from);
    const low = Math.max(0, middle - width / 2);
    if (width < 2) return;
    if (scale > 1 && low <= (columns?.step[0] ?? 0) && low + width >= last) zoom(null);
    else zoom([low, low + width]);
  }

  // ---- events, checkpoints, samples
  async function loadEvents() {
    events = await (await fetch("api/events?last=" + MOST_EVENTS)).json();
    lists();
  }
  function addEvent(e) {
    events.push(e);
    if (events.length > MOST_EVENTS) events.shift();
    if (e.kind === "evaluation" && columns && followEnd) { columns.evaluations.push([e.step, e.loss]); Charts.draw(); }
    if (e.kind === "started" && columns) { loadHistory(); loadEvents(); return; } // those of earlier processes are there from now on
    lists();
  }
  const when = time => { const t = new Date(time), today = new Date().toDateString() === t.toDateString(); return today ? t.toLocaleTimeString("en-GB") : t.toLocaleDateString("en-CA") + " " + t.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }); };
  function lists() {
    const trouble = $("only-trouble").checked;
    const shown = events.filter(e => !trouble || ["warning", "error", "critical"].includes(e.level)).toReversed();
    $("events").replaceChildren(...shown.slice(0, 150).map(e => {
      const line = element("li", e.level), time = element("time", "", when(e.time));
      time.dateTime = e.time;
      line.append(time, element("span", "at", e.step == null ? "" : "step " + e.step.toLocaleString("en")), element("span", "kind", e.kind), element("span", "said", e.message));
      return line;
    }));
    if (!shown.length) $("events").replaceChildren(element("li", "empty", "Nothing yet."));
    const written = events.filter(e => e.kind === "checkpoint").toReversed();
    $("checkpoints").tBodies[0].replaceChildren(...written.slice(0, 12).map(e => {
      const row = element("tr");
      row.append(element("td", "n", e.step.toLocaleString("en")), element("td", "", when(e.time)), element("td", "n", bytes(e.bytes)), element("td", "n", e.seconds.toFixed(1) + " s"));
      row.title = e.path;
      return row;
    }));
    const samples = events.filter(e => e.kind === "sample").toReversed();
    $("samples").replaceChildren(...samples.slice(0, 20).map(e => {
      const box = element("div", "sample");
      box.append(element("small", "", `step ${e.step.toLocaleString("en")}, ${when(e.time)}`), element("b", "", e.prompt), e.text.startsWith(e.prompt) ? e.text.slice(e.prompt.length) : e.text);
      return box;
    }));
    if (!samples.length) $("samples").replaceChildren(element("p", "empty", "None yet: the button Sample continues a prompt with the present weights."));
  }

  // ---- control
  function toast(text, bad) {
    $("toast").textContent = text; $("toast").className = "shown" + (bad ? " bad" : "");
    clearTimeout(toast.timer); toast.timer = setTimeout(() => $("toast").className = "", bad ? 7000 : 3500);
  }
  async function command(name, body = {}) {
    const headers = { "Content-Type": "application/json", "X-Streaming-User": "page" };
    const token = sessionStorage.getItem("streaming.token");
    if (token) headers.Authorization = "Bearer " + token;
    try {
      const answer = await fetch("api/" + name, { method: "POST", headers, body: JSON.stringify(body) });
      const said = await answer.json();
      if (answer.status === 401) {
        sessionStorage.removeItem("streaming.token");
        const given = await ask("Token", "Commands from another machine need the token: control.token in the run's folder, or the file that streaming.control.token-file names.", "Go on", [["token", "Token", "", "password"]]);
        if (!given?.token) return;
        sessionStorage.setItem("streaming.token", given.token);
        return command(name, body);
      }
      toast(answer.ok ? (said.text ?? capital(said.message)) : capital(said.detail), !answer.ok);
    } catch { toast("The daemon does not answer.", true); }
  }
  const capital = s => s.charAt(0).toUpperCase() + s.slice(1) + (/[.。!?]$/.test(s) ? "" : ".");
  function ask(title, text, ok, fields = [], danger = false) {
    $("dialog-title").textContent = title; $("dialog-text").textContent = text; $("dialog-ok").textContent = ok;
    $("dialog-ok").hidden = !ok; $("dialog-ok").className = danger ? "danger" : "primary";
    $("dialog-fields").replaceChildren(...fields.map(([name, label, value, type]) => {
      const l = element("label", "", label), input = element(type === "text-area" ? "textarea" : "input");
      if (type !== "text-area") input.type = type; else input.rows = 3;
      if (type === "number") input.step = "any";
      input.name = name; input.value = value;
      l.append(input);
      return l;
    }));
    const dialog = $("dialog");
    dialog.returnValue = "cancel";
    dialog.showModal();
    (dialog.querySelector("input, textarea") ?? $("dialog-ok")).focus();
    return new Promise(resolve => dialog.addEventListener("close", () => resolve(dialog.returnValue !== "ok" ? null
      : Object.fromEntries([...dialog.querySelectorAll("input, textarea")].map(i => [i.name, i.value]))), { once: true }));
  }
  const does = {
    "do-pause": () => command($("do-pause").dataset.does ?? "pause"),
    "do-checkpoint": () => command("checkpoint"),
    "do-evaluate": () => command("evaluate"),
    "do-sample": async () => {
      const given = await ask("Sample", "The model continues a prompt with its present weights; training stands still meanwhile.", "Sample",
        [["prompt", "Prompt", read("prompt", "日本の"), "text-area"], ["tokens", "New tokens at most", "40", "number"], ["temperature", "Temperature", "0.8", "number"]]);
      if (!given) return;
      keep("prompt", given.prompt);
      toast("Sampling…");
      command("sample", { prompt: given.prompt, max_new_tokens: Number(given.tokens), temperature: Number(given.temperature) });
    },
    "do-set": async () => {
      const given = await ask("Learning rate", "Peak of the schedule, whose shape stays. From the next step on, after a restart too.", "Set", [["rate", "Peak", status?.settings.learning_rate ?? "", "number"]]);
      if (given) command("set", { learning_rate: given.rate === "" ? null : Number(given.rate) });
    },
    "do-stop": async () => { if (await ask("Stop the run?", "The step under way is finished, a checkpoint written, and the process ends. Starting it again goes on from there.", "Stop", [], true)) command("stop"); },
    "do-theme": () => { keep("theme", dark() ? "light" : "dark"); paint(); },
    "do-help": () => {
      ask("Keys", "", "");
      const keys = [["p", "pause or resume"], ["c e s r", "checkpoint, evaluate, sample, learning rate"], ["+ −", "zoom the curves"], ["← →", "move in time"], ["0", "all steps"], ["[ ]", "less or more smoothing"], ["l", "logarithmic loss"], ["d", "light or dark"], ["?", "this"]];
      const list = element("div", "keys");
      for (const [key, text] of keys) { const k = element("span"); k.append(...key.split(" ").flatMap((one, i) => i ? [" ", element("kbd", "", one)] : [element("kbd", "", one)])); list.append(k, element("span", "", text)); }
      $("dialog-fields").replaceChildren(list);
    },
  };
  for (const [id, action] of Object.entries(does)) $(id).addEventListener("click", action);
  // A key is hit by chance more easily than a button: what halts the run asks first.
  const pauseByKey = async () => { if (await ask("Pause the run?", "The step under way is finished; training then waits until it is resumed.", "Pause")) command("pause"); };

  // ---- knobs
  function setSmoothing(value) {
    Charts.state.weight = Math.min(0.99, Math.max(0, value));
    $("smoothing").value = Charts.state.weight; $("smoothing-value").textContent = Charts.state.weight.toFixed(2);
    $("smoothing").setAttribute("aria-valuetext", Charts.state.weight.toFixed(2));
    keep("smoothing", Charts.state.weight);
    Charts.draw();
  }
  function setLog(on) { Charts.state.log = on; $("log-scale").setAttribute("aria-pressed", on); keep("log", on); if (columns) Charts.build(); }
  $("smoothing").addEventListener("input", () => setSmoothing(Number($("smoothing").value)));
  $("log-scale").addEventListener("click", () => setLog(!Charts.state.log));
  $("zoom-out").addEventListener("click", () => zoom(null));
  $("only-trouble").addEventListener("change", lists);
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || $("dialog").open || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== "range" && e.target.type !== "checkbox") return;
    if (e.target.type === "range" && e.key.startsWith("Arrow")) return;
    const keys = { "+": () => nudge(0, 0.5), "=": () => nudge(0, 0.5), "-": () => nudge(0, 2), ArrowLeft: () => nudge(-0.25, 1), ArrowRight: () => nudge(0.25, 1),
      "[": () => setSmoothing(Charts.state.weight - 0.05), "]": () => setSmoothing(Charts.state.weight + 0.05) };
    const button = document.querySelector(`button[data-key="${CSS.escape(e.key)}"]`);
    if (keys[e.key]) { keys[e.key](); e.preventDefault(); }
    else if (button && !button.disabled && !e.repeat) { if (button.dataset.does === "pause") pauseByKey(); else button.click(); e.preventDefault(); }
  });
  let resizing;
  new ResizeObserver(() => { clearTimeout(resizing); resizing = setTimeout(Charts.resize, 80); }).observe(document.querySelector("main"));

  // ---- configuration
  let config = null;
  const filterConfig = () => { const wanted = $("config-filter").value.toLowerCase(); $("config-text").textContent = (config ?? "").split("\n").filter(l => l.toLowerCase().includes(wanted)).join("\n"); };
  $("config").addEventListener("toggle", async () => { if ($("config").open && config == null) { config = await (await fetch("api/config")).text(); filterConfig(); } });
  $("config-filter").addEventListener("input", filterConfig);

  // ---- life: history and events first, then what happens; both again after every break
  function listen() {
    const source = new EventSource("api/stream");
    source.addEventListener("open", async () => {
      await loadEvents();
      config = null;
      await loadHistory();
    });
    source.addEventListener("frame", e => take(JSON.parse(e.data)));
    source.addEventListener("happened", e => addEvent(JSON.parse(e.data)));
    source.addEventListener("error", () => {
      badge("not connected", "offline");
      $("verdict").className = "verdict bad";
      $("verdict-text").textContent = status?.state === "stopping" || status?.state === "ended" ? "The daemon has ended; this page shows its last words." : "The daemon does not answer; trying again.";
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
  }
  paint();
  Charts.state.weight = Number(read("smoothing", 0.6));
  Charts.state.log = read("log", "false") === "true";
  $("log-scale").setAttribute("aria-pressed", Charts.state.log);
  Charts.build();
  setSmoothing(Charts.state.weight);
  lists();
  listen();
})();
