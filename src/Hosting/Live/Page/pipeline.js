"use strict";
// The text path as a chain: each stage with the share of time at work, waiting for work, and held back by what follows.
const Pipeline = (() => {
  const percent = r => r >= 0.0995 ? Math.round(r * 100) + " %" : (r * 100).toFixed(1) + " %";
  const element = (tag, className, text) => {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text != null) e.textContent = text;
    return e;
  };
  const words = { read: "Read", extract: "Extract", clean: "Clean", split: "Split", normalize: "Normalise", tokenize: "Tokenise", shuffle: "Shuffle", pack: "Pack", mix: "Mix", queue: "Queue" };

  function stage(name, busy, up, down, figure, title) {
    const box = element("div", "stage");
    box.append(element("h3", "", name));
    const stack = element("div", "stack");
    const whole = Math.max(1, busy + up + down);
    for (const [kind, share] of [["busy", busy], ["up", up], ["down", down]]) {
      const part = element("i", "i-" + kind);
      part.style.width = (100 * share / whole).toFixed(1) + "%";
      stack.append(part);
    }
    box.append(stack, element("p", "", figure));
    box.title = title;
    return box;
  }

  function draw(status) {
    const root = document.getElementById("pipeline"), load = status.pipeline;
    const boxes = [];
    let slowest = null;
    for (const s of load.stages) {
      const figure = s.name === "queue" ? `${load.queue_depth} ready` : s.tokens_per_second ? Charts.si(s.tokens_per_second) + " tok/s" : s.bytes_per_second ? Charts.si(s.bytes_per_second) + "B/s" : Charts.si(s.batches) + " batches";
      const box = stage(words[s.name] ?? s.name, s.busy, s.upstream, s.downstream, figure,
        `at work ${percent(s.busy)}, waits for work ${percent(s.upstream)}, held back ${percent(s.downstream)}`);
      if (!slowest || s.busy > slowest.busy) slowest = { busy: s.busy, box };
      boxes.push(box);
    }
    const training = status.state === "training";
    const trainer = stage("Trainer", training ? 1 - load.data_wait_ratio : 0, training ? load.data_wait_ratio : 0, 0,
      training && status.tokens_per_second ? Charts.si(status.tokens_per_second) + " tok/s" : status.state, `waits for text ${percent(load.data_wait_ratio)} of the time`);
    trainer.classList.add("trainer");
    // What limits the run has the frame: the trainer, or the busiest stage where the trainer waits.
    (load.data_wait_ratio > 0.05 && slowest ? slowest.box : trainer).classList.add("slowest");
    boxes.push(trainer);
    root.replaceChildren(...boxes.flatMap((box, i) => i ? [element("div", "arrow", "→"), box] : [box]));
    document.getElementById("pipeline-window").textContent = load.seconds ? `last ${Math.round(load.seconds)} s; framed: what limits the run` : "";
    const rows = status.sources.map(s => {
      const row = element("tr");
      row.append(element("td", "", s.name), element("td", "n", s.tokens.toLocaleString("en")), element("td", "n", s.epoch == null ? "–" : String(s.epoch + 1)),
        element("td", "", s.file_name ? `${s.file_name}${s.files > 1 ? ` (${s.file} of ${s.files})` : ""}, byte ${s.position_bytes.toLocaleString("en")}` : "–"));
      return row;
    });
    document.querySelector("#sources tbody").replaceChildren(...rows);
  }
  return { draw, element, percent };
})();
