// The page: faces on canvases, marks on them, the pointer and the keyboard.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { side, cells, stride } = data;
  const { area, bytes, matches, exchanged, nearest } = matching(data);
  const COLOURS = ["#1f8fff", "#27b35a", "#f5a623", "#b455f0", "#00b8c4", "#ff6fb5", "#b0b400", "#8a5a2b"];
  const POINTER = "#e01010";
  const BRUSH = 1.6; // cells
  const NEAR = 0.05 * side; // pixels from a landmark within which its true places are shown
  const ERROR_SIDE = 70; // errors are given in pixels of a face of this side
  const VIEW = "dve-explorer"; // where the view is kept while a notebook replaces the page
  const ARRIVED = "dve-explorer-arrived"; // the last page that was brought into view
  const element = (id) => document.getElementById(id);

  const pictures = data.faces.map((face) => {
    const image = new Image();
    image.src = face.picture;
    image.onload = () => draw();
    return image;
  });
  const layers = data.embeddings.map((embedding) => embedding.colours.map((text) => cellCanvas(bytes(text))));
  const heats = data.embeddings.map(() => data.faces.map(() => new Float32Array(area)));
  const state = { point: { ...data.start }, pins: [], painted: null, paints: [], colour: 0, cost: 0 };
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

  const notes = [];
  const canvases = data.embeddings.map((embedding) => {
    const block = document.createElement("section"), head = document.createElement("h2");
    const note = document.createElement("p"), grid = document.createElement("div");
    block.className = "block";
    head.textContent = embedding.label;
    note.className = "note";
    note.setAttribute("role", "status");
    notes.push(note);
    grid.className = "faces";
    block.append(head, note, grid);
    element("blocks").append(block);
    return data.faces.map((face, f) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = data.shown;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${face.name}, ${embedding.label}`);
      listen(canvas, f);
      grid.append(canvas);
      return canvas;
    });
  });
  data.faces.forEach((face, f) => element("auxiliary").add(new Option(face.name, f)));
  element("auxiliary").value = data.auxiliary;

  // ---- pointer and keyboard
  function place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const inside = (v, size) => Math.min(Math.max((v / size) * side - 0.5, 0), side - 1);
    return { x: inside(event.clientX - box.left, box.width), y: inside(event.clientY - box.top, box.height) };
  }

  function listen(canvas, f) {
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

  function pin() {
    if (state.pins.length >= COLOURS.length) {
      say("Eight points are kept. Clear them to keep others.");
      return;
    }
    keep(state.point);
    draw();
  }

  function keep({ face, x, y }) {
    const point = { face, x, y, colour: COLOURS[state.pins.length] };
    state.pins.push({ ...point, matches: matches(point) });
  }

  function clear() {
    Object.assign(state, { pins: [], painted: null, paints: [] });
    say("");
    draw();
  }

  function brush(f, at) {
    if (!state.painted || state.painted.face !== f) {
      state.painted = { face: f, nearest: nearest(f) };
      state.paints = new Array(area).fill(null);
    }
    const colour = COLOURS[state.colour % COLOURS.length];
    const cx = at.x / stride, cy = at.y / stride;
    for (let c = 0; c < area; c++) {
      if (Math.hypot((c % cells) - cx, Math.floor(c / cells) - cy) <= BRUSH) state.paints[c] = colour;
    }
    look(f, at);
  }

  // ---- landmarks: the true places of the one that the point is near to
  function landmarkAt(point) {
    let found = null, least = NEAR;
    (data.landmarks?.points[point.face] ?? []).forEach((at, k) => {
      const far = at ? Math.hypot(at[0] - point.x, at[1] - point.y) : Infinity;
      if (far <= least) [found, least] = [k, far];
    });
    return found;
  }

  const truth = (f, landmark) => (landmark === null ? null : data.landmarks.points[f][landmark]);

  function errorText(found, point, landmark) {
    const misses = found.flatMap((m, f) => {
      const at = truth(f, landmark);
      return at && f !== point.face ? [Math.hypot(m.x - at[0], m.y - at[1])] : [];
    });
    if (!misses.length) return "";
    const mean = (misses.reduce((a, b) => a + b) / misses.length) * (ERROR_SIDE / side);
    return `; mean error of ${data.landmarks.names[landmark]} ${mean.toFixed(1)} px`;
  }

  // ---- drawing
  const heatCanvas = document.createElement("canvas");
  heatCanvas.width = heatCanvas.height = cells;
  const heatContext = heatCanvas.getContext("2d"), heatPicture = heatContext.createImageData(cells, cells);

  function drawHeat(context, values, alpha) {
    let top = -1;
    for (let c = 0; c < area; c++) top = Math.max(top, values[c]);
    for (let c = 0; c < area; c++) {
      const v = Math.max(0, 1 - (top - values[c]) / 0.35), warm = v * v, dark = 0.5 * (1 - v) ** 2;
      const share = warm / (warm + dark); // unlike places are dimmed, so that the warm ones stand out
      heatPicture.data[4 * c] = 255 * share;
      heatPicture.data[4 * c + 1] = 220 * (1 - v) * share;
      heatPicture.data[4 * c + 2] = 20 * (1 - share);
      heatPicture.data[4 * c + 3] = 255 * alpha * Math.max(warm, dark);
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

  const unit = data.shown / 200; // marks keep their share of a face
  const toCanvas = (v) => ((v + 0.5) / side) * data.shown;

  // Strokes what is traced in white, wider, then in the colour: it is seen on any ground.
  function outlined(context, trace, colour, width, dash = []) {
    for (const [stroke, wide] of [["#fff", width + 3], [colour, width]]) {
      context.beginPath();
      trace();
      context.setLineDash(stroke === "#fff" ? [] : dash.map((v) => v * unit));
      context.lineWidth = wide * unit;
      context.strokeStyle = stroke;
      context.stroke();
    }
    context.setLineDash([]);
  }

  function dot(context, found, colour) {
    const trace = () => context.arc(toCanvas(found.x), toCanvas(found.y), 6 * unit, 0, 2 * Math.PI);
    outlined(context, trace, colour, 2.5, found.returns ? [] : [4, 3]);
    if (!found.returns) return;
    context.fillStyle = colour;
    context.fill();
  }

  function cross(context, point, colour) {
    const x = toCanvas(point.x), y = toCanvas(point.y), arm = 10 * unit;
    outlined(context, () => {
      context.moveTo(x - arm, y); context.lineTo(x + arm, y);
      context.moveTo(x, y - arm); context.lineTo(x, y + arm);
    }, colour, 2.5);
  }

  // Larger than the dot, so that both are seen where they coincide.
  function diamond(context, found, direct) {
    const [x, y, u, v] = [direct.x, direct.y, found.x, found.y].map(toCanvas), arm = 15 * unit;
    context.beginPath(); context.moveTo(x, y); context.lineTo(u, v);
    context.strokeStyle = "#fff"; context.lineWidth = 2 * unit; context.stroke();
    outlined(context, () => {
      context.moveTo(u, v - arm); context.lineTo(u + arm, v); context.lineTo(u, v + arm); context.lineTo(u - arm, v);
      context.closePath();
    }, "#0072b2", 2.5);
  }

  function ring(context, [x, y]) {
    outlined(context, () => context.arc(toCanvas(x), toCanvas(y), 10 * unit, 0, 2 * Math.PI), "#222", 1.5);
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

  function drawFace(e, f, view) {
    const { point, shown, alpha, painting, found, via, through, landmark } = view;
    const canvas = canvases[e][f], context = canvas.getContext("2d");
    canvas.classList.toggle("source", f === point.face);
    canvas.classList.toggle("through", f === through);
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
    if (f === point.face) { cross(context, point, POINTER); return; }
    if (truth(f, landmark)) ring(context, truth(f, landmark));
    if (via) diamond(context, via[e][f], found[e][f]);
    dot(context, found[e][f], POINTER);
  }

  function draw() {
    const began = performance.now();
    const point = state.point, found = matches(point, heats);
    const through = element("auxiliary").value === "" ? null : +element("auxiliary").value;
    const landmark = landmarkAt(point), via = through === null ? null : exchanged(point, through);
    const view = {
      point, found, via, through, landmark,
      shown: element("layer").value,
      alpha: element("alpha").value / 100,
      painting: element("paint").checked,
    };
    data.embeddings.forEach((_, e) => {
      data.faces.forEach((_, f) => drawFace(e, f, view));
      const back = found[e].filter((m, f) => f !== point.face && m.returns).length;
      notes[e].textContent = `${back} of ${data.faces.length - 1} matches come back` + errorText(found[e], point, landmark);
    });
    Object.assign(state, { found, via, landmark });
    state.cost = performance.now() - began;
    remember();
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

  // ---- inside a notebook: the frame is as high as the page, and a new choice of embeddings makes
  // a new page, which goes on with the same point
  const names = data.faces.map((face) => face.name).join("\n");

  function remember() {
    if (!data.embedded) return;
    const chosen = Object.fromEntries(["layer", "alpha", "auxiliary"].map((id) => [id, element(id).value]));
    const points = [state.point, ...state.pins].map(({ face, x, y }) => ({ face, x, y }));
    try { sessionStorage.setItem(VIEW, JSON.stringify({ names, chosen, points })); } catch { /* not allowed here */ }
  }

  function recall() {
    let kept = null;
    try { kept = JSON.parse(sessionStorage.getItem(VIEW)); } catch { /* not allowed here */ }
    if (!kept || kept.names !== names) return;
    for (const [id, value] of Object.entries(kept.chosen)) element(id).value = value;
    const [point, ...pins] = kept.points;
    state.point = point;
    pins.forEach(keep);
  }

  // Running all cells leaves the reader at the last one's code: bring the faces into view, once.
  function arrive() {
    if (!data.arrival) return;
    try {
      if (sessionStorage.getItem(ARRIVED) === data.arrival) return;
      sessionStorage.setItem(ARRIVED, data.arrival);
    } catch { return; }
    window.frameElement?.closest(".jp-OutputArea-output")?.scrollIntoView();
  }

  function fitFrame() {
    if (window.frameElement) window.frameElement.style.height = `${Math.ceil(element("main").getBoundingClientRect().bottom) + 8}px`;
  }

  for (const id of ["layer", "alpha", "auxiliary"]) element(id).addEventListener("input", draw);
  element("paint").addEventListener("input", () => { state.colour += state.painted ? 1 : 0; draw(); });
  element("clear").addEventListener("click", clear);
  element("export").addEventListener("click", () => (state.pins.length ? save() : say("Keep a point first: click on a face.")));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  if (data.embedded) {
    recall();
    new ResizeObserver(fitFrame).observe(element("main"));
  }
  draw();
  arrive();
})();
