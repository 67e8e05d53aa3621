"use strict";
// Matching in the browser: descriptors as unit vectors, a dot product a cell.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { side, cells, stride } = data;
  const area = cells * cells;
  const COLOURS = ["#e8384f", "#1f8fff", "#27b35a", "#f5a623", "#b455f0", "#00b8c4", "#ff6fb5", "#b0b400"];
  const RETURNS = 0.08 * side; // a match that comes back ends within so many pixels
  const BRUSH = 1.6; // cells
  const element = (id) => document.getElementById(id);

  function bytes(text) {
    const raw = atob(text);
    const found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
    return found;
  }

  // maps[e][f]: area rows of unit descriptors.
  const maps = data.embeddings.map((embedding) => embedding.maps.map((text) => {
    const whole = new Int8Array(bytes(text).buffer);
    const unit = new Float32Array(whole.length);
    const dimension = embedding.dimension;
    for (let c = 0; c < area; c++) {
      let norm = 0;
      for (let d = 0; d < dimension; d++) norm += whole[c * dimension + d] ** 2;
      norm = Math.sqrt(norm) || 1;
      for (let d = 0; d < dimension; d++) unit[c * dimension + d] = whole[c * dimension + d] / norm;
    }
    return unit;
  }));

  function descriptor(e, f, x, y) {
    const dimension = data.embeddings[e].dimension, map = maps[e][f];
    const clamp = (v) => Math.min(Math.max(v / stride, 0), cells - 1);
    const cx = clamp(x), cy = clamp(y);
    const j = Math.min(Math.floor(cx), cells - 2), i = Math.min(Math.floor(cy), cells - 2);
    const a = cx - j, b = cy - i;
    const corners = [[i, j, (1 - a) * (1 - b)], [i, j + 1, a * (1 - b)], [i + 1, j, (1 - a) * b], [i + 1, j + 1, a * b]];
    const found = new Float32Array(dimension);
    for (const [row, column, weight] of corners) {
      const start = (row * cells + column) * dimension;
      for (let d = 0; d < dimension; d++) found[d] += weight * map[start + d];
    }
    let norm = 0;
    for (let d = 0; d < dimension; d++) norm += found[d] ** 2;
    norm = Math.sqrt(norm) || 1;
    for (let d = 0; d < dimension; d++) found[d] /= norm;
    return found;
  }

  function similarities(e, f, query, into) {
    const dimension = query.length, map = maps[e][f];
    let best = 0;
    for (let c = 0, start = 0; c < area; c++, start += dimension) {
      let sum = 0;
      for (let d = 0; d < dimension; d++) sum += query[d] * map[start + d];
      into[c] = sum;
      if (sum > into[best]) best = c;
    }
    return best;
  }

  // The place between cells where a parabola through the best one and its neighbours has its top.
  function between(values, best, step, at) {
    if (at <= 0 || at >= cells - 1) return at;
    const low = values[best - step], top = values[best], high = values[best + step];
    const bend = low - 2 * top + high;
    return bend < 0 ? at + Math.max(-0.5, Math.min(0.5, (low - high) / (2 * bend))) : at;
  }

  const scratch = new Float32Array(area);
  function match(e, from, x, y, to, into = scratch) {
    const best = similarities(e, to, descriptor(e, from, x, y), into);
    const column = best % cells, row = (best - column) / cells;
    return {
      x: stride * between(into, best, 1, column),
      y: stride * between(into, best, cells, row),
      similarity: into[best],
    };
  }

  const back = new Float32Array(area);
  function comesBack(e, point, face, found) {
    const again = match(e, face, found.x, found.y, point.face, back);
    return Math.hypot(again.x - point.x, again.y - point.y) <= RETURNS;
  }

  // ---- the page
  const pictures = data.faces.map((face) => {
    const image = new Image();
    image.src = face.picture;
    image.onload = () => draw();
    return image;
  });
  const layers = data.embeddings.map((embedding) => embedding.colours.map((text) => cellCanvas(bytes(text))));
  const heats = maps.map((faces) => faces.map(() => new Float32Array(area)));
  const state = { point: { face: 0, x: side / 2, y: side / 2 }, pins: [], painted: null, paints: [], colour: 0, cost: 0 };
  window.dve = state;

  function cellCanvas(colours) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = cells;
    const context = canvas.getContext("2d"), picture = context.createImageData(cells, cells);
    for (let c = 0; c < area; c++) {
      picture.data.set([colours[3 * c], colours[3 * c + 1], colours[3 * c + 2], 255], 4 * c);
    }
    context.putImageData(picture, 0, 0);
    return canvas;
  }

  const canvases = data.embeddings.map((embedding, e) => {
    const block = document.createElement("section");
    block.className = "block";
    const head = document.createElement("h2");
    head.textContent = embedding.label;
    const grid = document.createElement("div");
    grid.className = "faces";
    block.append(head, grid);
    element("blocks").append(block);
    return data.faces.map((face, f) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = data.shown;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${face.name}, ${embedding.label}`);
      listen(canvas, e, f);
      grid.append(canvas);
      return canvas;
    });
  });
  data.faces.forEach((face, f) => element("auxiliary").add(new Option(face.name, f)));

  function place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const inside = (v, size) => Math.min(Math.max((v / size) * side - 0.5, 0), side - 1);
    return { x: inside(event.clientX - box.left, box.width), y: inside(event.clientY - box.top, box.height) };
  }

  function listen(canvas, e, f) {
    canvas.addEventListener("pointermove", (event) => {
      const at = place(canvas, event);
      if (element("paint").checked) {
        if (event.buttons) brush(f, at);
      } else look(f, at);
    });
    canvas.addEventListener("pointerdown", (event) => {
      const at = place(canvas, event);
      if (element("paint").checked) brush(f, at);
      else { look(f, at); pin(); }
    });
    canvas.addEventListener("focus", () => {
      if (state.point.face !== f && !element("paint").checked && canvas.matches(":focus-visible")) {
        look(f, { x: state.point.x, y: state.point.y });
      }
    });
    canvas.addEventListener("keydown", (event) => key(event, f));
  }

  function key(event, f) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) {
      const far = event.shiftKey ? 5 : 1, start = state.point.face === f ? state.point : { x: side / 2, y: side / 2 };
      const move = (v, by) => Math.min(Math.max(v + far * by, 0), side - 1);
      look(f, { x: move(start.x, moves[event.key][0]), y: move(start.y, moves[event.key][1]) });
    } else if (event.key === "Enter" || event.key === " ") {
      if (element("paint").checked) brush(f, state.point);
      else { look(f, state.point); pin(); }
    } else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  }

  let waiting = false;
  function look(f, at) {
    state.point = { face: f, x: at.x, y: at.y };
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function matchesOf(point, heat) {
    return data.embeddings.map((_, e) => data.faces.map((_, f) => {
      const into = heat ? heats[e][f] : scratch;
      const found = match(e, point.face, point.x, point.y, f, into);
      if (f === point.face) return { ...found, x: point.x, y: point.y, returns: true };
      return { ...found, returns: comesBack(e, point, f, found) };
    }));
  }

  function pin() {
    if (state.pins.length >= COLOURS.length) {
      say(`Eight points are kept. Clear them to keep others.`);
      return;
    }
    const point = { ...state.point, colour: COLOURS[state.pins.length] };
    point.matches = matchesOf(point, false);
    state.pins.push(point);
    draw();
  }

  function clear() {
    state.pins = [];
    state.painted = null;
    state.paints = [];
    draw();
  }

  // ---- paint: for every cell of every face, the cell of the painted face that matches it best
  function nearest(source) {
    return data.embeddings.map((embedding, e) => data.faces.map((_, f) => {
      const dimension = embedding.dimension, from = maps[e][f], to = maps[e][source];
      const found = new Int16Array(area);
      for (let c = 0; c < area; c++) {
        if (f === source) { found[c] = c; continue; }
        let best = -2, at = 0;
        for (let s = 0; s < area; s++) {
          let sum = 0;
          for (let d = 0, a = c * dimension, b = s * dimension; d < dimension; d++) sum += from[a + d] * to[b + d];
          if (sum > best) { best = sum; at = s; }
        }
        found[c] = at;
      }
      return found;
    }));
  }

  function brush(f, at) {
    if (!state.painted || state.painted.face !== f) {
      say("Finding the matches of every place…");
      state.painted = { face: f, nearest: nearest(f) };
      state.paints = new Array(area).fill(null);
      say("");
    }
    const colour = COLOURS[state.colour % COLOURS.length];
    const cx = at.x / stride, cy = at.y / stride;
    for (let c = 0; c < area; c++) {
      if (Math.hypot((c % cells) - cx, Math.floor(c / cells) - cy) <= BRUSH) state.paints[c] = colour;
    }
    look(f, at);
  }

  // ---- drawing
  const heatCanvas = document.createElement("canvas");
  heatCanvas.width = heatCanvas.height = cells;
  const heatContext = heatCanvas.getContext("2d"), heatPicture = heatContext.createImageData(cells, cells);

  function drawHeat(context, values, alpha) {
    let top = -1;
    for (let c = 0; c < area; c++) top = Math.max(top, values[c]);
    for (let c = 0; c < area; c++) {
      const v = Math.max(0, 1 - (top - values[c]) / 0.35);
      heatPicture.data[4 * c] = 255;
      heatPicture.data[4 * c + 1] = 230 * (1 - v);
      heatPicture.data[4 * c + 2] = 0;
      heatPicture.data[4 * c + 3] = 255 * alpha * v * v;
    }
    heatContext.putImageData(heatPicture, 0, 0);
    layer(context, heatCanvas, 1);
  }

  // Cell j stands for pixel stride*j, so its square begins half a cell before.
  function layer(context, canvas, alpha) {
    const scale = data.shown / side, half = (stride / 2 - 0.5) * scale;
    context.globalAlpha = alpha;
    context.drawImage(canvas, -half, -half, cells * stride * scale, cells * stride * scale);
    context.globalAlpha = 1;
  }

  const toCanvas = (v) => ((v + 0.5) / side) * data.shown;

  function dot(context, found, colour) {
    context.beginPath();
    context.arc(toCanvas(found.x), toCanvas(found.y), 7, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.setLineDash(found.returns ? [] : [4, 3]);
    if (found.returns) { context.fillStyle = colour; context.fill(); context.strokeStyle = "#fff"; }
    else context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
  }

  function cross(context, point, colour) {
    const x = toCanvas(point.x), y = toCanvas(point.y);
    for (const [width, style] of [[6, "#fff"], [2.5, colour]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      context.moveTo(x - 10, y); context.lineTo(x + 10, y);
      context.moveTo(x, y - 10); context.lineTo(x, y + 10);
      context.stroke();
    }
  }

  function path(context, direct, via) {
    const [x, y, u, v] = [direct.x, direct.y, via.x, via.y].map(toCanvas);
    context.strokeStyle = "#fff"; context.lineWidth = 2;
    context.beginPath(); context.moveTo(x, y); context.lineTo(u, v); context.stroke();
    context.fillStyle = "#ffd400"; context.strokeStyle = "#222"; context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(u, v - 8); context.lineTo(u + 8, v); context.lineTo(u, v + 8); context.lineTo(u - 8, v);
    context.closePath(); context.fill(); context.stroke();
  }

  function drawPaint(context, e, f) {
    const near = state.painted.nearest[e][f], size = (stride * data.shown) / side;
    context.globalAlpha = 0.65;
    for (let c = 0; c < area; c++) {
      const colour = state.paints[near[c]];
      if (!colour) continue;
      context.fillStyle = colour;
      context.fillRect(toCanvas(stride * (c % cells) - stride / 2), toCanvas(stride * Math.floor(c / cells) - stride / 2), size, size);
    }
    context.globalAlpha = 1;
  }

  function draw() {
    const began = performance.now();
    const alpha = element("alpha").value / 100, shown = element("layer").value, painting = element("paint").checked;
    const point = state.point, found = matchesOf(point, true);
    const through = element("auxiliary").value;
    data.embeddings.forEach((_, e) => {
      const aux = through === "" ? null : found[e][+through];
      data.faces.forEach((_, f) => {
        const canvas = canvases[e][f], context = canvas.getContext("2d");
        canvas.classList.toggle("source", f === point.face);
        context.imageSmoothingEnabled = true;
        if (pictures[f].complete) context.drawImage(pictures[f], 0, 0, data.shown, data.shown);
        if (shown === "colours") layer(context, layers[e][f], alpha);
        if (state.painted) drawPaint(context, e, f);
        if (shown === "heat" && f !== point.face && !painting) drawHeat(context, heats[e][f], alpha);
        for (const kept of state.pins) {
          if (f === kept.face) cross(context, kept, kept.colour);
          else dot(context, kept.matches[e][f], kept.colour);
        }
        if (painting) return;
        if (f === point.face) cross(context, point, "#e01010");
        else {
          if (aux && f !== +through) path(context, found[e][f], match(e, +through, aux.x, aux.y, f));
          dot(context, found[e][f], "#e01010");
        }
      });
    });
    state.found = found;
    const last = data.embeddings.map((_, e) => found[e].filter((m, f) => f !== point.face && m.returns).length);
    const others = data.faces.length - 1;
    if (!painting) say(`Of ${others} matches, ` + data.embeddings.map((b, e) => `${last[e]} come back (${b.label})`).join(", ") + ".");
    state.cost = performance.now() - began;
  }

  function say(text) { element("status").textContent = text; }

  function save() {
    const lines = ["point,embedding,face,x,y,similarity,comes_back"];
    const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
    state.pins.forEach((kept, k) => data.embeddings.forEach((embedding, e) => data.faces.forEach((face, f) => {
      const m = kept.matches[e][f];
      lines.push([k + 1, quoted(embedding.label), quoted(face.name), m.x.toFixed(2), m.y.toFixed(2), m.similarity.toFixed(4), m.returns].join(","));
    })));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "matches.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  for (const id of ["layer", "alpha", "auxiliary"]) element(id).addEventListener("input", draw);
  element("paint").addEventListener("input", () => { state.colour += state.painted ? 1 : 0; draw(); });
  element("clear").addEventListener("click", clear);
  element("export").addEventListener("click", () => (state.pins.length ? save() : say("Keep a point first: click on a face.")));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  draw();
})();
