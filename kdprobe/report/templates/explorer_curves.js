"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const QUIET = 120; // milliseconds without a new margin after which the curves follow: they are many elements
  const CURVES = ["n_foreground", "n_background", "relevance_ratio"];

  const toggles = (name, choices, chosen, press) => {
    const { make } = kdprobe;
    const buttons = choices.map(([value, ...content]) => {
      const button = make("button", { type: "button", "data-choice": value }, ...content);
      button.addEventListener("click", () => press(value));
      return button;
    });
    const update = () => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(chosen(button.dataset.choice)));
    };
    return { element: make("div", { class: "switch", role: "group", "aria-label": name }, ...buttons), update };
  };

  /** N_fg, N_bg and lambda over the epochs or the way of the weights; also at the explorer's margin, if another. */
  kdprobe.liveCurves = (home, store) => {
    const { make, metrics, counting } = kdprobe;
    const { state } = store;
    const hidden = new Set();
    const note = make("p", { class: "small", id: "live-curves-note" });
    let axis = "epochs";
    let charts = null;

    const counted = (metric, network, along) =>
      network.curves[metric].map(([y, low, high, n], k) => ({ x: along[k], y, low, high, note: `n = ${n}` }));
    const recounted = (metric, network, along) =>
      network.epochs.map((_, k) => {
        const found = counting.summary(state.layer, network, k, state.b, state.all);
        return { x: along[k], y: found[metric], note: `n = ${found.counted[metric]}, no interval` };
      });
    const spec = (metric) => {
      const series = [];
      for (const { network, index, colour } of state.shown) {
        if (hidden.has(String(index))) continue;
        const along = axis === "epochs" ? network.epochs : network.path;
        series.push({ name: network.name, colour, points: counted(metric, network, along) });
        if (state.b !== state.data.settings.margin) {
          const name = `${network.name}, b = ${state.b}`;
          series.push({ name, colour, dash: true, points: recounted(metric, network, along) });
        }
      }
      const { letter, index, title, unit, range } = metrics[metric];
      return {
        title,
        sign: { letter, index },
        column: metric,
        xLabel: axis === "epochs" ? "epoch" : "weight distance / initial norms",
        yLabel: unit,
        yRange: range,
        cursor: axis === "epochs" ? state.epoch : undefined,
        series,
      };
    };
    const turn = (value) => {
      axis = value;
      update();
    };
    const choices = [["epochs", "epochs"], ["path", "weight distance"]];
    const axes = toggles("Horizontal axis", choices, (value) => value === axis, turn);
    let networks = null;
    let listed = null;
    const places = make("div", {});
    const grid = make("div", { class: "charts" });
    home.append(make("div", { class: "switches" }, axes.element, places), note, grid);

    const update = () => {
      const specs = CURVES.map(spec);
      if (charts) charts.forEach((chart, k) => chart.update(specs[k]));
      else {
        charts = specs.map((each) => {
          const place = make("div", {});
          grid.append(place);
          return kdprobe.chart(place, each);
        });
        charts.forEach((chart, k) => chart.element.append(kdprobe.chartFiles(chart, () => spec(CURVES[k]), CURVES[k])));
      }
      axes.update();
      networks.update();
    };
    let [last, waiting] = ["", null];
    store.onPictures(() => {
      if (listed !== state.layer) {
        listed = state.layer;
        hidden.clear();
        networks = toggles("Networks", state.shown.map(({ network, index, colour }) => [
          String(index), make("span", { class: `dot c${colour}`, "aria-hidden": "true" }), network.name,
        ]), (index) => !hidden.has(index), (index) => {
          if (!hidden.delete(index)) hidden.add(index);
          update();
        });
        places.replaceChildren(networks.element);
      }
      const { b, data, all } = state;
      const { margin } = data.settings;
      note.textContent = b === margin
        ? `At the margin of the experiment, ${b} nats. Another margin in the explorer draws its curves here, too.`
        : `Dashed: recounted at the explorer's margin b = ${b} nats over the ${all.length} images of this page, ` +
          `without intervals. Solid: at the margin of the experiment, ${margin} nats, over all ` +
          `${data.images_counted} images.`;
      const now = `${state.place} ${b}`;
      if (charts === null) update();
      else if (now !== last) {
        clearTimeout(waiting);
        waiting = setTimeout(update, QUIET);
      } else if (axis === "epochs") for (const chart of charts) chart.cursor(state.epoch);
      last = now;
    });
  };
}
