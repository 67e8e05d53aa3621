"use strict";
// Matching in the browser. Descriptors are unit vectors, so a dot product is the cosine similarity;
// their lengths are kept beside them for the exchange, which weighs by products of whole vectors.
function matching(data) {
  const { side, cells, stride } = data;
  const area = cells * cells;
  const RETURNS = 0.08 * side; // a match that comes back ends within so many pixels
  const scratch = new Float32Array(area), back = new Float32Array(area);

  function bytes(text) {
    const raw = atob(text);
    const found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
    return found;
  }

  function normalise(values, start, dimension) {
    let norm = 0;
    for (let d = 0; d < dimension; d++) norm += values[start + d] ** 2;
    norm = Math.sqrt(norm) || 1;
    for (let d = 0; d < dimension; d++) values[start + d] /= norm;
  }

  // maps[e][f]: area rows of unit descriptors; lengths[e][f]: the length of each.
  const maps = data.embeddings.map((embedding) => embedding.maps.map((text) => {
    const unit = Float32Array.from(new Int8Array(bytes(text).buffer));
    for (let c = 0; c < area; c++) normalise(unit, c * embedding.dimension, embedding.dimension);
    return unit;
  }));
  const lengths = data.embeddings.map((embedding) =>
    embedding.lengths.map((text) => new Float32Array(bytes(text).buffer)));

  // The descriptor at a point between cells.
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
    normalise(found, 0, dimension);
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

  // The descriptor of the cell nearest to a point, rebuilt from those of the auxiliary face: their
  // mean, weighted by a softmax over their products with it, as in the exchange loss.
  function rebuilt(e, f, x, y, auxiliary) {
    const dimension = data.embeddings[e].dimension, map = maps[e][auxiliary];
    const near = (v) => Math.min(Math.max(Math.round(v / stride), 0), cells - 1);
    const cell = near(y) * cells + near(x), weights = new Float32Array(area);
    const query = maps[e][f].subarray(cell * dimension, (cell + 1) * dimension);
    similarities(e, auxiliary, query, weights);
    let top = -Infinity;
    for (let c = 0; c < area; c++) {
      weights[c] *= lengths[e][f][cell] * lengths[e][auxiliary][c];
      top = Math.max(top, weights[c]);
    }
    const found = new Float32Array(dimension);
    for (let c = 0, start = 0; c < area; c++, start += dimension) {
      const weight = Math.exp(weights[c] - top) * lengths[e][auxiliary][c];
      if (weight < 1e-9) continue;
      for (let d = 0; d < dimension; d++) found[d] += weight * map[start + d];
    }
    normalise(found, 0, dimension);
    return found;
  }

  // The place between cells where a parabola through the best one and its neighbours has its top.
  function between(values, best, step, at) {
    if (at <= 0 || at >= cells - 1) return at;
    const low = values[best - step], top = values[best], high = values[best + step];
    const bend = low - 2 * top + high;
    return bend < 0 ? at + Math.max(-0.5, Math.min(0.5, (low - high) / (2 * bend))) : at;
  }

  function locate(e, f, query, into = scratch) {
    const best = similarities(e, f, query, into);
    const column = best % cells, row = (best - column) / cells;
    return {
      x: stride * between(into, best, 1, column),
      y: stride * between(into, best, cells, row),
      similarity: into[best],
    };
  }

  function comesBack(e, point, f, found) {
    const again = locate(e, point.face, descriptor(e, f, found.x, found.y), back);
    return Math.hypot(again.x - point.x, again.y - point.y) <= RETURNS;
  }

  // Matches of a point on every face, by every embedding; `heats[e][f]` receives the similarities.
  function matches(point, heats) {
    return data.embeddings.map((_, e) => {
      const query = descriptor(e, point.face, point.x, point.y);
      return data.faces.map((_, f) => {
        const found = locate(e, f, query, heats ? heats[e][f] : scratch);
        if (f === point.face) return { ...found, x: point.x, y: point.y, returns: true };
        return { ...found, returns: comesBack(e, point, f, found) };
      });
    });
  }

  // The same after the exchange: the point's descriptor is first rebuilt from the auxiliary face.
  function exchanged(point, auxiliary) {
    return data.embeddings.map((_, e) => {
      const query = rebuilt(e, point.face, point.x, point.y, auxiliary);
      return data.faces.map((_, f) => locate(e, f, query));
    });
  }

  // For every cell of every face, the cell of the source face that matches it best.
  function nearest(source) {
    return maps.map((faces, e) => faces.map((from, f) => {
      const dimension = data.embeddings[e].dimension, found = new Int16Array(area);
      for (let c = 0; c < area; c++) {
        const query = from.subarray(c * dimension, (c + 1) * dimension);
        found[c] = f === source ? c : similarities(e, source, query, scratch);
      }
      return found;
    }));
  }

  return { area, bytes, matches, exchanged, nearest };
}
