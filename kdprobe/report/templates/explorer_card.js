"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  const figure = (value, decimals) => (value === null ? "–" : kdprobe.fixed(value, decimals));

  /** A canvas on which a cell is picked: by a click, or by the arrow keys once it has the focus. */
  kdprobe.cellCanvas = ({ state, change }) => {
    const canvas = kdprobe.make("canvas", { class: "cells", role: "img", tabindex: 0 });
    const { grid } = state.data.settings;
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const place = (at, size) => Math.max(0, Math.min(grid - 1, Math.floor((at / size) * grid)));
      const cell = place(event.clientY - box.top, box.height) * grid + place(event.clientX - box.left, box.width);
      change({ cell });
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") change({ cell: null });
      if (!(event.key in ARROWS) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const [down, right] = ARROWS[event.key];
      // The first key chooses the middle.
      const from = state.cell ?? Math.floor(grid / 2 - down) * grid + Math.floor(grid / 2 - right);
      const [row, column] = [Math.floor(from / grid), from % grid];
      const inside = (value) => Math.max(0, Math.min(grid - 1, value));
      change({ cell: inside(row + down) * grid + inside(column + right) });
    });
    return canvas;
  };

  const numbers = (index) => {
    const { make, metrics, symbol } = kdprobe;
    const fields = {};
    const field = (metric, scope) => {
      const value = make("b", { "data-number": `${index}/${metric}/${scope}`, "data-value": "" });
      const beside = make("span", { class: "n" });
      const { unit, decimals } = metrics[metric];
      const whole = unit === "cells" && scope === "image";
      fields[`${metric}/${scope}`] = (number, note) => {
        value.dataset.value = number ?? "";
        value.textContent = figure(number, whole ? 0 : decimals);
        beside.textContent = note;
      };
      return make("td", {}, value, " ", beside);
    };
    const scope = make("span", {}, "");
    const rows = Object.entries(metrics).map(([metric, { title, unit }]) => {
      const beside = make("span", { class: "unit" }, metric === "stability" ? "so far" : unit);
      const head = make("th", { scope: "row", title }, symbol(metrics[metric]), " ", beside);
      return make("tr", {}, head, field(metric, "image"), field(metric, "all"));
    });
    const heads = [["number"], ["image"], ["mean of ", scope]].map((text) => make("th", { scope: "col" }, ...text));
    const table = make("table", { class: "live" },
      make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    return { table, fields, scope };
  };

  const place = (network, k, epoch) => {
    const own = network.epochs[k];
    if (own === epoch) return `epoch ${own}`;
    if (own > epoch) return `epoch ${own}: none before it was measured`;
    return k === network.epochs.length - 1 ? `epoch ${own}: its last` : `epoch ${own}: none kept at ${epoch}`;
  };

  const missing = (metric, network) => {
    if (metric !== "stability") return "no concept";
    return network.epochs.length > 1 ? "no concept so far" : "one epoch only";
  };

  /** One network of the explorer: concepts, entropy map, numbers; {element, update(state), draw(state)}. */
  kdprobe.card = (store, { network, index, colour }) => {
    const { make, counting, drawing } = kdprobe;
    const concepts = kdprobe.cellCanvas(store);
    const entropy = kdprobe.cellCanvas(store);
    const where = make("p", { class: "small where" });
    const picked = make("p", { class: "small picked" });
    const { table, fields, scope } = numbers(index);
    const pictured = (canvas, text) => make("figure", {}, canvas, make("figcaption", {}, text));
    const element = make("article", { class: `network c${colour}`, "aria-label": network.name },
      make("h3", {}, make("span", { class: "name" }, network.name)), where,
      make("div", { class: "pair" }, pictured(concepts, "concepts"), pictured(entropy, "entropy H")), picked, table);

    const update = (state) => {
      const { layer, b, n, data } = state;
      const k = counting.clamped(network, state.epoch);
      const accuracy = network.accuracy?.[k];
      const share = Number.isFinite(accuracy) ? ` · accuracy ${kdprobe.fixed(100 * accuracy, 1)}\u00a0%` : "";
      where.textContent = `${network.role}, ${network.recipe} · ${place(network, k, state.epoch)}${share}`;
      scope.textContent = kdprobe.howMany(state);
      const one = counting.image(layer, network, k, b, n);
      const all = counting.summary(layer, network, k, b, state.images);
      for (const metric of Object.keys(kdprobe.metrics)) {
        const none = missing(metric, network);
        fields[`${metric}/image`](one[metric], one[metric] === null ? none : "");
        fields[`${metric}/all`](all[metric], all[metric] === null ? none : `n = ${all.counted[metric]}`);
      }
      const image = data.images[n];
      const cell = state.cell === null ? "" : `${kdprobe.cellPlace(state)}: ${kdprobe.cellValue(state, network, k)}.`;
      picked.textContent = `chosen cell: ${state.cell === null ? "none" : kdprobe.cellValue(state, network, k)}`;
      const at = `${network.name}, epoch ${network.epochs[k]}, image ${image.id} of class ${data.classes[image.label]}`;
      const found = `${one.n_foreground} concept cells on the foreground, ${one.n_background} on the background`;
      const baseline = kdprobe.number(network.baseline[k * layer.count + n]);
      concepts.setAttribute("aria-label", `${at}: ${found}, margin ${b} nats. ${cell}`);
      entropy.setAttribute("aria-label", `${at}: entropy map, baseline ${baseline} nats. ${cell}`);
    };
    const draw = (state) => {
      const { layer, b, n, data, outline, cell, range } = state;
      const k = counting.clamped(network, state.epoch);
      const rows = (values, row) => values.subarray(row * layer.cells, (row + 1) * layer.cells);
      const scene = {
        grid: data.settings.grid, picture: state.picture(n), outline, cell, range,
        foreground: rows(layer.foreground, n),
        entropy: rows(network.entropy, k * layer.count + n),
        concepts: counting.concepts(layer, network, k, b, n),
      };
      drawing.drawConcepts(concepts, scene);
      drawing.drawEntropy(entropy, scene);
    };
    return { element, update, draw };
  };

  /** Where the chosen cell is, in words. */
  kdprobe.cellPlace = ({ layer, cell, n, data }) => {
    const { grid } = data.settings;
    const ground = layer.foreground[n * layer.cells + cell] ? "foreground" : "background";
    return `Cell in row ${Math.floor(cell / grid) + 1}, column ${(cell % grid) + 1} (${ground})`;
  };

  /** H - H-bar of the chosen cell in a network, and whether it is a concept. */
  kdprobe.cellValue = ({ layer, cell, n, b }, network, k) => {
    const away = kdprobe.counting.cellPath(layer, network, n, cell)[k];
    return `H − H̄ = ${kdprobe.number(away)} nats, ${-away > b ? "a concept" : "no concept"}`;
  };
}
