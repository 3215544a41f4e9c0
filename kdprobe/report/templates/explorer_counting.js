"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  const bytes = (text) => {
    const letters = atob(text);
    const found = new Uint8Array(letters.length);
    for (let k = 0; k < letters.length; k += 1) found[k] = letters.charCodeAt(k);
    return found;
  };

  // Float64Array has the byte order of the machine; the page's is little-endian, and so is every machine of today.
  const doubles = (text) => new Float64Array(bytes(text).buffer);

  const bits = (text, count) => {
    const packed = bytes(text);
    return Uint8Array.from({ length: count }, (_, k) => (packed[k >> 3] >> (7 - (k & 7))) & 1);
  };

  /**
   * The page's data with typed arrays: layers[].foreground is 0 or 1 of (N, g, g), networks[].entropy float64 nats of
   * (epochs, N, g, g), networks[].baseline H-bar in nats of (epochs, N), alike for all images where the scope is the
   * data set.
   */
  const decode = (data) => {
    const { grid, scope } = data.settings;
    const [cells, count] = [grid * grid, data.images.length];
    const foreground = new Uint8Array(count * cells);
    data.images.forEach((image, n) => foreground.set(bits(image.foreground, cells), n * cells));
    const network = (found) => {
      const baseline = doubles(found.baseline_entropy);
      return {
        ...found,
        entropy: doubles(found.entropy),
        baseline: scope === "image"
          ? baseline
          : Float64Array.from({ length: found.epochs.length * count }, (_, k) => baseline[Math.floor(k / count)]),
      };
    };
    const layers = data.layers.map((layer) => ({
      layer: layer.layer, foreground, cells, count, settings: data.settings, networks: layer.networks.map(network),
    }));
    return { ...data, layers };
  };

  const tables = new WeakMap();

  /**
   * Concept cells at margin b of every epoch k and image n, at [k * N + n] each: `fg` and `bg` on the foreground and
   * beside it, `ever` those on the foreground that were one at any of the epochs that enter rho up to k. The last b of
   * a network is kept, so that moving the epoch counts nothing.
   */
  const table = (layer, network, b) => {
    const known = tables.get(network);
    if (known?.b === b) return known;
    const { cells, count, foreground, settings } = layer;
    const { entropy } = network;
    const epochs = network.epochs.length;
    const [fg, bg, ever] = [0, 1, 2].map(() => new Int32Array(epochs * count));
    const seen = new Uint8Array(count * cells);
    const first = settings.initial ? 0 : 1;
    for (let k = 0; k < epochs; k += 1) {
      for (let n = 0; n < count; n += 1) {
        const [row, at] = [k * count + n, n * cells];
        const baseline = network.baseline[row];
        let [inside, outside, union] = [0, 0, 0];
        for (let i = 0; i < cells; i += 1) {
          if (baseline - entropy[row * cells + i] > b) {
            if (foreground[at + i]) {
              inside += 1;
              if (k >= first) seen[at + i] = 1;
            } else outside += 1;
          }
          union += seen[at + i];
        }
        fg[row] = inside;
        bg[row] = outside;
        ever[row] = union;
      }
    }
    const made = { b, fg, bg, ever };
    tables.set(network, made);
    return made;
  };

  const share = (part, whole, empty) => (whole > 0 ? part / whole : empty === "zero" ? 0 : null);

  /** Whether a network has rho at its k-th epoch: some epoch must enter it, and final weights alone have no detours. */
  const stable = (layer, network, k) => network.epochs.length > 1 && (k > 0 || Boolean(layer.settings.initial));

  /**
   * The four numbers of image n: {n_foreground, n_background, relevance_ratio, stability}; null where there is none.
   * `stability` is rho had the training ended at epoch k.
   */
  const image = (layer, network, k, b, n) => {
    const found = table(layer, network, b);
    const row = k * layer.count + n;
    const [fg, bg, { empty }] = [found.fg[row], found.bg[row], layer.settings];
    return {
      n_foreground: fg,
      n_background: bg,
      relevance_ratio: share(fg, fg + bg, empty),
      stability: stable(layer, network, k) ? share(fg, found.ever[row], empty) : null,
    };
  };

  /**
   * The means over `images` at the k-th kept epoch: the four numbers, null where no image has one, and `counted`: over
   * how many images each mean runs.
   */
  const summary = (layer, network, k, b, images) => {
    const each = images.map((n) => image(layer, network, k, b, n));
    const found = { counted: {} };
    for (const metric of ["n_foreground", "n_background", "relevance_ratio", "stability"]) {
      const values = each.map((one) => one[metric]).filter((value) => value !== null);
      found.counted[metric] = values.length;
      found[metric] = values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
    }
    return found;
  };

  /** H_i - H-bar in nats of cell i of image n at every kept epoch. */
  const cellPath = (layer, network, n, i) =>
    network.epochs.map((_, k) => {
      const row = k * layer.count + n;
      return network.entropy[row * layer.cells + i] - network.baseline[row];
    });

  /** 0 or 1 of the g * g cells of image n: is it a concept. */
  const concepts = (layer, network, k, b, n) => {
    const row = k * layer.count + n;
    const map = network.entropy.subarray(row * layer.cells, (row + 1) * layer.cells);
    return Uint8Array.from(map, (entropy) => network.baseline[row] - entropy > b);
  };

  /** The largest H-bar - H_i of all networks, epochs, images and cells, nats; no margin beyond it leaves a concept. */
  const mostContrast = (layer) => {
    let most = 0;
    for (const { entropy, baseline } of layer.networks) {
      for (let k = 0; k < entropy.length; k += 1) {
        most = Math.max(most, baseline[Math.floor(k / layer.cells)] - entropy[k]);
      }
    }
    return most;
  };

  /** Place of the last kept epoch that is not after `epoch`; the first one if all are. */
  const clamped = (network, epoch) => Math.max(0, network.epochs.findLastIndex((each) => each <= epoch));

  kdprobe.counting = { decode, image, summary, cellPath, concepts, mostContrast, clamped };
}
