"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  /** The four live numbers: sign (letter and index), name, unit, decimals of a mean. */
  kdprobe.metrics = {
    n_foreground: { letter: "N", index: "fg", title: "foreground concepts", unit: "cells", decimals: 1 },
    n_background: { letter: "N", index: "bg", title: "background concepts", unit: "cells", decimals: 1 },
    relevance_ratio: { letter: "λ", index: "", title: "relevance ratio", unit: "share", decimals: 3, range: [0, 1] },
    stability: { letter: "ρ", index: "", title: "stability so far", unit: "share", decimals: 3, range: [0, 1] },
  };

  const ROLES = ["student", "baseline", "teacher"];

  // As they are shown, {network, index (in the data), colour}: students, baseline, teacher, others.
  const shownNetworks = (layer) => {
    const rank = ({ network }) => (ROLES.includes(network.role) ? ROLES.indexOf(network.role) : ROLES.length);
    const { students, ...colours } = kdprobe.colours;
    let met = 0; // students so far
    return layer.networks
      .map((network, index) => ({ network, index }))
      .sort((one, other) => rank(one) - rank(other) || one.index - other.index)
      .map((each) => ({ ...each, colour: colours[each.network.role] ?? students[met++ % students.length] }));
  };

  /**
   * What the reader chose, and who is told of it. `state`: layer; images (places of those of the class), n (the one
   * that is looked at), epochs (kept by any network), step (place in them), b, outline, cell (or null). Numbers are
   * told at once, pictures once a frame.
   */
  kdprobe.store = (data) => {
    const [numbers, pictures] = [[], []];
    let asked = false;
    const all = data.images.map((_, n) => n);
    const state = { data, images: all, all, n: 0, b: data.settings.margin, outline: true, cell: null, label: null };

    const atLayer = (place) => {
      const layer = data.layers[place];
      const epochs = [...new Set(layer.networks.flatMap((network) => network.epochs))].sort((a, b) => a - b);
      const most = Math.max(Math.ceil(kdprobe.counting.mostContrast(layer) * 100) / 100, data.settings.margin, 0.02);
      Object.assign(state, {
        place, layer, epochs, step: epochs.length - 1, most, shown: shownNetworks(layer),
        range: kdprobe.drawing.entropyRange(layer),
      });
    };
    const change = (patch) => {
      if (patch.place !== undefined && patch.place !== state.place) atLayer(patch.place);
      Object.assign(state, patch);
      if (patch.label !== undefined) {
        state.images = all.filter((n) => patch.label === null || data.images[n].label === patch.label);
        if (!state.images.includes(state.n)) state.n = state.images[0];
      }
      state.epoch = state.epochs[state.step];
      for (const tell of numbers) tell();
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        for (const tell of pictures) tell();
      });
    };
    return { state, change, onNumbers: (tell) => numbers.push(tell), onPictures: (tell) => pictures.push(tell) };
  };

  /** "48 of 120 images", "48 images", "12 images of class x": what the means of the explorer run over. */
  kdprobe.howMany = ({ data, images, all, label }) => {
    const plural = (count) => `${count} image${count === 1 ? "" : "s"}`;
    if (label !== null) return `${plural(images.length)} of class ${data.classes[label]}`;
    if (data.images_counted > all.length) return `${all.length} of ${plural(data.images_counted)}`;
    return `all ${plural(all.length)}`;
  };
}
