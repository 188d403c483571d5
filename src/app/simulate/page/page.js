"use strict";
// Draws the plots of the page from the data beside it. Nothing is loaded from anywhere.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const count = data.demand.length;
  const LEFT = 62, RIGHT = 10, TOP = 8, BOTTOM = 20;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (place) => css("--c" + place);
  const node = (name, attributes, parent, text) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };

  // ---- numbers and times for people ---------------------------------------------------------
  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString("en");
    return String(+value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3));
  };
  const two = (value) => String(value).padStart(2, "0");
  const DAY = 86400, WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const clock = (seconds, fine) => {
    const s = Math.floor(((seconds % DAY) + DAY) % DAY);
    const base = two(Math.floor(s / 3600)) + ":" + two(Math.floor(s / 60) % 60);
    return fine ? base + ":" + two(s % 60) : base;
  };
  const day = (seconds) => {
    if (!data.dated) return "day " + (Math.floor(seconds / DAY) + 1);
    const date = new Date(seconds * 1000);
    return WEEKDAYS[date.getUTCDay()] + " " + date.toISOString().slice(0, 10);
  };
  const at = (index) => data.start + index * data.grain;
  const moment = (index) => day(at(index)) + ", " + clock(at(index), true) + (data.dated ? " UTC" : "");

  // ---- state ----------------------------------------------------------------------------------
  const LEAST = Math.min(count, 20);
  let view = [0, count], cursor = null;
  const shown = data.ways.map((_, place) => place < 2);
  const clamp = ([from, to]) => {
    const length = Math.min(count, Math.max(LEAST, to - from));
    const begin = Math.min(Math.max(0, from), count - length);
    return [begin, begin + length];
  };
  const go = (from, to) => { view = clamp([from, to]); draw(); remember(); };
  const remember = () => {
    const all = view[0] === 0 && view[1] === count;
    const hash = all ? " " : "#t=" + Math.round(view[0] * data.grain) + "," + Math.round(view[1] * data.grain);
    try { history.replaceState(null, "", all ? location.pathname + location.search : hash); } catch (_) { /* a file in a sandbox */ }
  };

  // ---- the panels -----------------------------------------------------------------------------
  const ways = () => data.ways.map((way, place) => ({ way, place })).filter(({ place }) => shown[place]);
  const own = data.ways[0];
  const panels = [
    {
      title: "Demand and what the policy published", unit: data.unit, height: 230,
      lines: () => [
        ...(own.low ? [{ name: "forecast", band: [own.low, own.high], colour: colour(0) }] : []),
        { name: "published", values: own.published, colour: colour(0) },
        { name: "demand", values: data.demand, colour: css("--demand"), area: true },
      ],
    },
    {
      title: "Pods", unit: "pods", height: 250, steps: true,
      lines: () => [
        ...ways().flatMap(({ way, place }) => [
          { name: way.name + ": ready", values: way.ready, colour: colour(place) },
          { name: "wanted", values: way.wanted, colour: colour(place), thin: true },
        ]),
        { name: "busy if nothing waited", values: data.need, colour: css("--demand"), area: true },
      ],
    },
    {
      title: "Longest wait", unit: "seconds", height: 170, steps: true, limit: data.maxWait,
      lines: () => ways().map(({ way, place }) => ({ name: way.name, values: way.wait, colour: colour(place) })),
    },
  ];
  const holder = document.getElementById("panels");
  for (const panel of panels) {
    const figure = node("figure", {}, holder);
    panel.caption = node("figcaption", {}, figure);
    panel.plot = node("div", { class: "plot" }, figure);
    panel.canvas = node("canvas", { role: "img", "aria-label": panel.title + " over time, in " + panel.unit }, panel.plot);
    panel.canvas.style.height = panel.height + "px";
    panel.hair = node("div", { class: "hair", hidden: "" }, panel.plot);
    panel.drag = node("div", { class: "drag", hidden: "" }, panel.plot);
  }

  const legend = (panel) => {
    panel.caption.replaceChildren();
    node("b", {}, panel.caption, panel.title);
    node("span", { class: "key" }, panel.caption, "in " + panel.unit);
    panel.outputs = panel.lines().map((line) => {
      const key = node("span", { class: "key" }, panel.caption);
      const mark = node("i", { class: line.area || line.band ? "area" : line.thin ? "dashed" : "" }, key);
      if (line.area || line.band) mark.style.background = line.colour; else mark.style.borderColor = line.colour;
      node("span", {}, key, line.name);
      return [line, node("output", {}, key)];
    });
    if (panel.limit !== undefined) {
      const key = node("span", { class: "key" }, panel.caption);
      node("i", { class: "dashed" }, key).style.borderColor = css("--limit");
      node("span", {}, key, "late after " + number(panel.limit) + " s");
    }
  };

  // ---- axes -----------------------------------------------------------------------------------
  const nice = (most, ticks) => {
    const rough = most / ticks, power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 2.5, 5, 10].map((it) => it * power).find((it) => it >= rough) || power;
  };
  const TIMES = [60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 28 * DAY];
  const paper = (canvas, height) => {
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px " + getComputedStyle(document.body).fontFamily;
    return [pen, width];
  };
  const rows = (pen, width, height, most, y) => {
    const step = nice(most, height > 200 ? 5 : 3);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (let value = 0; value <= most * 1.0001; value += step) {
      pen.fillStyle = css("--line");
      pen.fillRect(LEFT, Math.round(y(value)), width - LEFT - RIGHT, 1);
      pen.fillStyle = css("--soft");
      pen.fillText(number(value), LEFT - 8, y(value));
    }
  };
  const columns = (pen, width, height, x) => {
    const span = (view[1] - view[0]) * data.grain;
    const room = Math.max(2, Math.floor((width - LEFT - RIGHT) / 105));
    const step = TIMES.find((it) => span / it <= room) || 28 * DAY;
    pen.textAlign = "center"; pen.textBaseline = "top";
    const first = Math.ceil(at(view[0]) / step) * step;
    for (let time = first; time <= at(view[1]); time += step) {
      const place = x((time - data.start) / data.grain);
      const text = time % DAY === 0 || step >= DAY ? day(time) : clock(time, step < 60);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = css("--line");
      pen.fillRect(Math.round(place), TOP, 1, height - TOP - BOTTOM);
      if (place + half > width) continue;
      pen.fillStyle = css("--soft");
      pen.fillText(text, Math.max(place, LEFT - 30 + half), height - BOTTOM + 5);
    }
  };

  // ---- lines ----------------------------------------------------------------------------------
  // Where several points share a pixel, the line covers all of them: no peak is lost.
  const columnsOf = (values, from, to, width) => {
    const perPixel = (to - from) / width, columns = [];
    if (perPixel <= 1) {
      for (let i = Math.floor(from); i < Math.min(count, Math.ceil(to) + 1); i++) columns.push([i, values[i], values[i]]);
      return columns;
    }
    for (let pixel = 0; pixel < width; pixel++) {
      const begin = Math.floor(from + pixel * perPixel);
      const end = Math.min(count, Math.max(begin + 1, Math.floor(from + (pixel + 1) * perPixel)));
      let low = null, high = null;
      for (let i = begin; i < end; i++) {
        const value = values[i];
        if (value === null) continue;
        if (low === null || value < low) low = value;
        if (high === null || value > high) high = value;
      }
      columns.push([begin, low, high]);
    }
    return columns;
  };
  const stroke = (pen, line, columns, x, y, steps, dense) => {
    pen.beginPath();
    let open = false, last = 0, painted = 0;
    for (const [index, low, high] of columns) {
      if (low === null || low === undefined) { open = false; continue; }
      const place = x(index);
      painted++;
      if (!open) pen.moveTo(place, y(low));
      else if (steps && !dense) { pen.lineTo(place, last); pen.lineTo(place, y(low)); }
      else pen.lineTo(place, y(low));
      if (high !== low) pen.lineTo(place, y(high));
      last = y(high);
      open = true;
    }
    pen.strokeStyle = line.colour;
    pen.globalAlpha = line.thin ? 0.6 : dense ? 0.85 : 1;
    pen.lineWidth = line.thin ? 1 : 1.5;
    pen.setLineDash(line.thin && !dense ? [4, 3] : []);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    return painted;
  };
  const fill = (pen, line, columns, x, y, lows) => {
    pen.beginPath();
    const places = columns.filter(([, , high]) => high !== null && high !== undefined);
    places.forEach(([index, , high], place) => pen[place ? "lineTo" : "moveTo"](x(index), y(high)));
    if (lows) lows.filter(([, low]) => low !== null).reverse().forEach(([index, low]) => pen.lineTo(x(index), y(low)));
    else if (places.length) { pen.lineTo(x(places[places.length - 1][0]), y(0)); pen.lineTo(x(places[0][0]), y(0)); }
    pen.closePath();
    pen.globalAlpha = lows ? 0.2 : 0.3;
    pen.fillStyle = line.colour;
    pen.fill();
    pen.globalAlpha = 1;
  };
  const drawPanel = (panel) => {
    const { canvas, height } = panel;
    const [pen, width] = paper(canvas, height);
    const inner = Math.max(10, width - LEFT - RIGHT), [from, to] = view;
    const x = (index) => LEFT + ((index - from) / (to - from)) * inner;
    const dense = (to - from) / inner > 1;
    const lines = panel.lines().map((line) => ({
      line,
      columns: columnsOf(line.band ? line.band[1] : line.values, from, to, Math.floor(inner)),
      lows: line.band ? columnsOf(line.band[0], from, to, Math.floor(inner)) : null,
    }));
    let most = panel.limit || 0;
    for (const { columns } of lines) for (const [, , high] of columns) if (high > most) most = high;
    most = (most || 1) * 1.05;
    const y = (value) => TOP + (1 - value / most) * (height - TOP - BOTTOM);
    if (data.scored > from) {
      pen.fillStyle = css("--shade");
      pen.fillRect(LEFT, TOP, x(Math.min(data.scored, to)) - LEFT, height - TOP - BOTTOM);
    }
    rows(pen, width, height, most, y);
    columns(pen, width, height, x);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, inner, height - BOTTOM + 1);
    pen.clip();
    let painted = 0;
    for (const { line, columns, lows } of lines) if (lows || line.area) fill(pen, line, columns, x, y, lows);
    // The first way is the policy's: it lies on top.
    for (const { line, columns, lows } of [...lines].reverse()) {
      if (!lows) painted += stroke(pen, line, columns, x, y, panel.steps, dense);
    }
    if (panel.limit !== undefined) {
      pen.strokeStyle = css("--limit"); pen.lineWidth = 1; pen.setLineDash([5, 4]);
      pen.beginPath(); pen.moveTo(LEFT, y(panel.limit)); pen.lineTo(width - RIGHT, y(panel.limit)); pen.stroke();
      pen.setLineDash([]);
    }
    if (data.scored > from) {
      pen.fillStyle = css("--soft"); pen.textAlign = "left"; pen.textBaseline = "top";
      pen.fillText("history, not scored", LEFT + 6, TOP + 3);
    }
    pen.restore();
    canvas.dataset.points = painted;
  };

  // ---- cost against lateness ------------------------------------------------------------------
  const sweep = document.getElementById("sweep");
  const drawSweep = () => {
    if (!sweep) return;
    const height = 300, [pen, width] = paper(sweep, height);
    const all = data.sweeps.flatMap((it) => it.points);
    const lates = all.map((it) => it[1]), costs = all.map((it) => it[2]).concat(data.clairvoyant, data.optimum);
    // The root spreads out what matters, the small shares.
    const right = Math.sqrt(Math.min(Math.max(...lates, 2), 25));
    const x = (late) => LEFT + (Math.sqrt(late) / right) * (width - LEFT - RIGHT - 20);
    const near = all.filter((it) => Math.sqrt(it[1]) <= right).map((it) => it[2]).concat(data.clairvoyant, data.optimum);
    const most = Math.max(...near) * 1.03, least = Math.min(...near) - 0.06 * (Math.max(...near) - Math.min(...near));
    const y = (cost) => TOP + ((most - cost) / (most - least)) * (height - TOP - 2 * BOTTOM);
    const step = nice(most - least, 5);
    pen.textBaseline = "middle";
    for (let cost = Math.ceil(least / step) * step; cost <= most; cost += step) {
      pen.fillStyle = css("--line"); pen.fillRect(LEFT, Math.round(y(cost)), width - LEFT - RIGHT, 1);
      pen.fillStyle = css("--soft"); pen.textAlign = "right"; pen.fillText(number(cost), LEFT - 8, y(cost));
    }
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const late of [0, 0.1, 0.5, 1, 2, 5, 10, 25].filter((it) => Math.sqrt(it) <= right)) {
      pen.fillStyle = css("--line"); pen.fillRect(Math.round(x(late)), TOP, 1, height - TOP - 2 * BOTTOM);
      pen.fillStyle = css("--soft"); pen.fillText(late + " %", x(late), height - 2 * BOTTOM + 5);
    }
    pen.fillText("work that is late", LEFT + (width - LEFT - RIGHT) / 2, height - BOTTOM + 5);
    pen.textAlign = "left"; pen.textBaseline = "bottom";
    for (const [name, cost] of [["clairvoyant", data.clairvoyant], ["offline optimum", data.optimum]]) {
      pen.strokeStyle = css("--soft"); pen.setLineDash([2, 3]); pen.beginPath();
      pen.moveTo(LEFT, y(cost)); pen.lineTo(width - RIGHT, y(cost)); pen.stroke(); pen.setLineDash([]);
      pen.fillStyle = css("--soft"); pen.textAlign = "right"; pen.textBaseline = name === "clairvoyant" ? "bottom" : "top";
      pen.fillText(name, width - RIGHT - 4, y(cost) + (name === "clairvoyant" ? -3 : 4));
    }
    data.sweeps.forEach(({ points }, place) => {
      pen.save(); pen.beginPath(); pen.rect(LEFT - 4, 0, width - LEFT - RIGHT + 8, height - 2 * BOTTOM + 4); pen.clip();
      pen.strokeStyle = colour(place); pen.lineWidth = 1.5; pen.beginPath();
      const sorted = [...points].sort((a, b) => a[1] - b[1] || b[2] - a[2]);
      sorted.forEach(([, late, cost], at) => pen[at ? "lineTo" : "moveTo"](x(late), y(cost)));
      pen.stroke();
      for (const [headroom, late, cost] of points) {
        pen.beginPath(); pen.arc(x(late), y(cost), headroom === 1 ? 6 : 3, 0, 7);
        pen.fillStyle = headroom === 1 ? css("--paper") : colour(place); pen.fill(); pen.lineWidth = 2; pen.stroke();
      }
      pen.restore();
    });
    sweep.dataset.points = all.length;
    const keys = document.getElementById("sweep-keys");
    keys.replaceChildren();
    node("b", {}, keys, "GPU-hours");
    data.sweeps.forEach(({ name }, place) => {
      const key = node("span", { class: "key" }, keys);
      node("i", {}, key).style.borderColor = colour(place);
      node("span", {}, key, name);
    });
    node("span", { class: "key" }, keys, "a ring: as published; dots: times " + data.sweeps[0].points.map((it) => it[0]).filter((it) => it !== 1).join(", "));
  };

  // ---- what lies under the pointer ------------------------------------------------------------
  const tell = () => {
    for (const panel of panels) {
      panel.hair.hidden = cursor === null;
      const inner = panel.canvas.clientWidth - LEFT - RIGHT;
      if (cursor !== null) panel.hair.style.left = LEFT + ((cursor + 0.5 - view[0]) / (view[1] - view[0])) * inner + "px";
      for (const [line, output] of panel.outputs) {
        if (cursor === null) { output.textContent = ""; continue; }
        const of = (values) => number(values[cursor]);
        output.textContent = line.band ? of(line.band[0]) + " to " + of(line.band[1]) : of(line.values);
      }
    }
    when.textContent = cursor === null ? moment(Math.floor(view[0])) + " to " + moment(Math.floor(view[1])) : moment(cursor);
  };
  const draw = () => {
    panels.forEach((panel) => { legend(panel); drawPanel(panel); });
    drawSweep();
    tell();
  };
  const indexAt = (panel, event) => {
    const box = panel.canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    return view[0] + Math.min(1, Math.max(0, share)) * (view[1] - view[0]);
  };
  for (const panel of panels) {
    let begun = null;
    const x = (index) => LEFT + ((index - view[0]) / (view[1] - view[0])) * (panel.canvas.clientWidth - LEFT - RIGHT);
    panel.canvas.addEventListener("pointerdown", (event) => {
      begun = indexAt(panel, event);
      panel.canvas.setPointerCapture(event.pointerId);
    });
    panel.canvas.addEventListener("pointermove", (event) => {
      const index = indexAt(panel, event);
      cursor = Math.min(count - 1, Math.floor(index));
      if (begun !== null) {
        panel.drag.hidden = false;
        panel.drag.style.left = Math.min(x(begun), x(index)) + "px";
        panel.drag.style.width = Math.abs(x(index) - x(begun)) + "px";
      }
      tell();
    });
    panel.canvas.addEventListener("pointerup", (event) => {
      const end = indexAt(panel, event);
      panel.drag.hidden = true;
      if (begun !== null && Math.abs(x(end) - x(begun)) > 5) go(Math.min(begun, end), Math.max(begun, end));
      begun = null;
    });
    panel.canvas.addEventListener("pointerleave", () => { cursor = null; tell(); });
    panel.canvas.addEventListener("pointercancel", () => { begun = null; panel.drag.hidden = true; });
    panel.canvas.addEventListener("dblclick", () => go(0, count));
  }
  const zoom = (factor) => {
    const middle = cursor ?? (view[0] + view[1]) / 2, share = (middle - view[0]) / (view[1] - view[0]);
    const length = (view[1] - view[0]) * factor;
    go(middle - share * length, middle + (1 - share) * length);
  };
  const move = (share) => go(view[0] + share * (view[1] - view[0]), view[1] + share * (view[1] - view[0]));
  const KEYS = {
    ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5),
    "-": () => zoom(2), 0: () => go(0, count), Escape: () => go(0, count),
  };
  holder.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  // ---- controls -------------------------------------------------------------------------------
  const spans = document.getElementById("spans");
  const button = (text, label, act) => node("button", { type: "button", "aria-label": label }, spans, text).addEventListener("click", act);
  button("◀", "Earlier", () => move(-0.5));
  button("▶", "Later", () => move(0.5));
  button("All", "The whole recording", () => go(0, count));
  for (const [text, label, seconds] of [["7 d", "Seven days", 7 * DAY], ["1 d", "One day", DAY], ["6 h", "Six hours", 6 * 3600], ["1 h", "One hour", 3600], ["10 min", "Ten minutes", 600]]) {
    const length = seconds / data.grain;
    if (length >= count || length < LEAST) continue;
    button(text, label, () => { const middle = (view[0] + view[1]) / 2; go(middle - length / 2, middle + length / 2); });
  }
  const when = node("span", { class: "key" }, spans);
  const boxes = document.getElementById("ways");
  data.ways.forEach((way, place) => {
    const label = node("label", {}, boxes);
    const box = node("input", { type: "checkbox" }, label);
    box.checked = shown[place];
    box.style.accentColor = colour(place);
    box.addEventListener("change", () => { shown[place] = box.checked; draw(); });
    node("span", {}, label, way.name);
  });
  const minutes = data.grain % 60 === 0 ? data.grain / 60 + " min" : data.grain + " s";
  document.getElementById("grain").textContent = data.thinned
    ? "Each point stands for " + minutes + ": the largest demand, value, replica count and wait, the fewest ready pods."
    : "Each point is one sync, " + minutes + ".";

  const asked = /^#t=(\d+),(\d+)$/.exec(location.hash);
  if (asked) view = clamp([+asked[1] / data.grain, +asked[2] / data.grain]);
  draw();
  window.addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.documentElement.dataset.drawn = "yes";
})();
