"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  // viridis, as in the figures: even in lightness, safe for colour-blind readers and in grey
  const SCALE = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"].map(
    (code) => [0, 2, 4].map((at) => parseInt(code.slice(at, at + 2), 16)));
  const INSIDE = "0, 114, 178";
  const OUTSIDE = "224, 108, 0";

  /** The colour of a share 0 ... 1 of the scale; what lies outside has the colour of its end. */
  const colour = (share) => {
    const at = Math.max(0, Math.min(1, share)) * (SCALE.length - 1);
    const low = Math.min(Math.floor(at), SCALE.length - 2);
    const mixed = SCALE[low].map((value, k) => Math.round(value + (SCALE[low + 1][k] - value) * (at - low)));
    return `rgb(${mixed.join(", ")})`;
  };

  /**
   * One colour scale for all networks, epochs and images of a layer, {low, high} in nats. Its ends leave out half a per
   * cent of the cells on either side, so that a few odd ones do not wash out the others.
   */
  const entropyRange = (layer) => {
    const sample = [];
    for (const { entropy } of layer.networks) {
      const step = Math.max(1, Math.floor(entropy.length / 20011)); // odd: not always the same column of the grid
      for (let k = 0; k < entropy.length; k += step | 1) sample.push(entropy[k]);
    }
    const sorted = Float64Array.from(sample).sort();
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    const [low, high] = [at(0.005), at(0.995)];
    return high > low ? { low, high } : { low: low - 0.1, high: high + 0.1 };
  };

  /** Places of the borders between `grid` cells on `size` pixels, whole numbers. */
  const borders = (size, grid) => Array.from({ length: grid + 1 }, (_, k) => Math.round((k * size) / grid));

  /** Gives the canvas the pixels that the screen shows of it, whole cells wide, in the shape of the picture. */
  const fit = (canvas, picture, grid) => {
    const cell = Math.max(6, Math.ceil(((canvas.clientWidth || 240) * (globalThis.devicePixelRatio || 1)) / grid));
    const width = cell * grid;
    const height = Math.max(1, Math.round((width * picture.height) / picture.width));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    return { context: canvas.getContext("2d"), xs: borders(width, grid), ys: borders(height, grid) };
  };

  const eachCell = (grid, { xs, ys }, act) => {
    for (let i = 0; i < grid * grid; i += 1) {
      const [row, column] = [Math.floor(i / grid), i % grid];
      act(i, xs[column], ys[row], xs[column + 1] - xs[column], ys[row + 1] - ys[row]);
    }
  };

  const edges = (context, grid, { xs, ys }, mask) => {
    const inside = (row, column) => row >= 0 && column >= 0 && row < grid && column < grid && mask[row * grid + column];
    context.beginPath();
    for (let row = 0; row < grid; row += 1) {
      for (let column = 0; column < grid; column += 1) {
        if (!inside(row, column)) continue;
        const [left, right, top, bottom] = [xs[column], xs[column + 1], ys[row], ys[row + 1]];
        for (const [away, ...line] of [
          [inside(row - 1, column), left, top, right, top], [inside(row + 1, column), left, bottom, right, bottom],
          [inside(row, column - 1), left, top, left, bottom], [inside(row, column + 1), right, top, right, bottom],
        ]) {
          if (away) continue;
          context.moveTo(line[0], line[1]);
          context.lineTo(line[2], line[3]);
        }
      }
    }
    const unit = Math.max(1, context.canvas.width / 220);
    context.lineCap = "square";
    for (const [style, width] of [["#000000", 3.2], ["#ffffff", 1.6]]) {
      context.strokeStyle = style;
      context.lineWidth = width * unit;
      context.stroke();
    }
  };

  const frame = (context, grid, { xs, ys }, cell) => {
    const [row, column] = [Math.floor(cell / grid), cell % grid];
    const unit = Math.max(1, context.canvas.width / 220);
    const box = [xs[column], ys[row], xs[column + 1] - xs[column], ys[row + 1] - ys[row]];
    for (const [style, width] of [["#ffffff", 5], ["#d4006a", 2.6]]) {
      context.strokeStyle = style;
      context.lineWidth = width * unit;
      context.strokeRect(...box);
    }
  };

  const finish = (context, scene, places) => {
    if (scene.outline) edges(context, scene.grid, places, scene.foreground);
    if (scene.cell !== null) frame(context, scene.grid, places, scene.cell);
  };

  const paint = (context, source) => {
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    if (!source) return;
    context.imageSmoothingEnabled = source.width > 64; // pixels of tiny images stay pixels
    context.drawImage(source, 0, 0, width, height);
  };

  /** The image itself, with the outline of its foreground cells. */
  const drawImage = (canvas, scene) => {
    const { context, ...places } = fit(canvas, scene.picture, scene.grid);
    paint(context, scene.picture.colour);
    finish(context, scene, places);
  };

  /** Concept cells over the paled image: blue on the foreground, orange and crossed out by a line on the background. */
  const drawConcepts = (canvas, scene) => {
    const { context, ...places } = fit(canvas, scene.picture, scene.grid);
    paint(context, scene.picture.pale);
    eachCell(scene.grid, places, (i, x, y, w, h) => {
      if (!scene.concepts[i]) return;
      const rgb = scene.foreground[i] ? INSIDE : OUTSIDE;
      context.fillStyle = `rgba(${rgb}, 0.72)`;
      context.fillRect(x, y, w, h);
      context.strokeStyle = scene.foreground[i] ? "rgba(0, 52, 96, 0.9)" : "rgba(92, 38, 0, 0.9)";
      context.lineWidth = Math.max(1, w / 14);
      context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
      if (scene.foreground[i]) return;
      context.beginPath();
      context.moveTo(x + 1, y + h - 1);
      context.lineTo(x + w - 1, y + 1);
      context.stroke();
    });
    finish(context, scene, places);
  };

  /** Entropy of the cells on the colour scale `range`; dark: the layer keeps the cell. */
  const drawEntropy = (canvas, scene) => {
    const { context, ...places } = fit(canvas, scene.picture, scene.grid);
    const { low, high } = scene.range;
    eachCell(scene.grid, places, (i, x, y, w, h) => {
      context.fillStyle = colour((scene.entropy[i] - low) / (high - low));
      context.fillRect(x, y, w, h);
    });
    finish(context, scene, places);
  };

  /** The scale itself, low on the left. */
  const drawScale = (canvas) => {
    const context = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; x += 1) {
      context.fillStyle = colour(x / (canvas.width - 1));
      context.fillRect(x, 0, 1, canvas.height);
    }
  };

  const paled = (image) => {
    const canvas = kdprobe.make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < pixels.data.length; k += 4) {
      const grey = 89 + (0.65 * (pixels.data[k] + pixels.data[k + 1] + pixels.data[k + 2])) / 3;
      pixels.data.fill(grey, k, k + 3);
    }
    context.putImageData(pixels, 0, 0);
    return canvas;
  };

  /** The pictures of the page by place: {width, height, colour, pale}; without colour and pale until they are there. */
  kdprobe.pictureShelf = (images, ready) => {
    const shelf = new Map();
    return (n) => {
      if (!shelf.has(n)) {
        const { width, height, picture } = images[n];
        const entry = { width, height, colour: null, pale: null };
        const image = new Image();
        image.addEventListener("load", () => {
          Object.assign(entry, { colour: image, pale: paled(image) });
          ready();
        });
        image.src = picture;
        shelf.set(n, entry);
      }
      return shelf.get(n);
    };
  };

  kdprobe.drawing = { entropyRange, drawImage, drawConcepts, drawEntropy, drawScale };
}
