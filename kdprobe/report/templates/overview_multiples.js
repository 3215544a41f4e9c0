"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const MOST_PLACES = 24;

  const grouped = (rows, name) => {
    const groups = new Map();
    for (const row of rows) groups.set(name(row), [...(groups.get(name(row)) ?? []), row]);
    return groups;
  };

  const point = ([x, y, low, high, n], note) => ({ x, y, low, high, note: note ?? `n = ${n}` });

  // Means stand beside the seeds that have a value at that epoch, and say how many those are.
  const mean = (curves) => {
    const epochs = [...new Set(curves.flatMap((curve) => curve.map(([epoch]) => epoch)))].sort((a, b) => a - b);
    return epochs.map((epoch) => {
      const found = curves.flatMap((curve) => curve.filter((each) => each[0] === epoch && each[1] !== null).map((each) => each[1]));
      const y = found.length ? found.reduce((sum, value) => sum + value, 0) / found.length : null;
      return [epoch, y, null, null, found.length];
    });
  };

  /** Series and lines of the networks of one place: a mean and its seeds, or one seed with its interval. */
  kdprobe.overviewSeries = (store, rows, metric) => {
    const [series, lines] = [[], []];
    for (const [name, seeds] of grouped(rows, (row) => row.network)) {
      const own = seeds.filter((row) => row.curves[metric]?.length);
      if (!own.length) continue;
      const curves = own.map((row) => row.curves[metric]);
      const colour = store.colour(own[0], "method");
      const middle = mean(curves);
      if (middle.length === 1) {
        if (middle[0][1] !== null) lines.push({ y: middle[0][1], name });
      } else if (own.length === 1) series.push({ name, colour, points: curves[0].map((each) => point(each)) });
      else {
        own.forEach((row, k) => series.push({ name: `${name}, seed ${row.seed}`, colour, dash: true, points: curves[k].map(([x, y, , , n]) => point([x, y], `n = ${n}`)) }));
        series.push({ name: `${name}, mean`, colour, points: middle.map((each) => point(each, `${each[4]} of ${own.length} seeds`)) });
      }
    }
    return { series, lines };
  };

  const reach = (specs, share) => {
    if (share) return [0, 1];
    const values = specs.flatMap(({ series, lines }) =>
      [...series.flatMap(({ points }) => points.flatMap((p) => [p.y, p.high])), ...lines.map((line) => line.y)]).filter(Number.isFinite);
    const most = Math.max(0, ...values) || 1;
    const { step } = kdprobe.ticks(0, most);
    return [0, Math.ceil(most / step - 1e-9) * step];
  };

  const legend = (store, rows) => {
    const { make } = kdprobe;
    const names = grouped(rows, (row) => row.network);
    return make("ul", { class: "overview-legend", "aria-label": "Colours of the curves" }, ...[...names].map(([name, [row]]) =>
      make("li", {}, make("span", { class: `dot c${store.colour(row, "method")}`, "aria-hidden": "true" }), name)));
  };

  /** Small multiples: a row of charts for each curve, one for each place, all of a row on one scale. */
  kdprobe.overviewMultiples = (home, store) => {
    const { make } = kdprobe;
    const drawn = make("div", {});
    const note = make("p", { class: "small", id: "overview-multiples-note" });
    home.append(make("h3", {}, "Curves over the epochs"), note, drawn);
    const draw = () => {
      const rows = store.shown().map((k) => store.rows[k]);
      const all = [...grouped(rows, kdprobe.overviewPlace)];
      const places = all.slice(0, MOST_PLACES);
      const several = all.some(([, own]) => grouped(own, (row) => row.network).size < own.length);
      note.textContent = [
        "All charts of a row have one vertical scale.",
        several ? "Thick: mean over the seeds; thin: each seed; where there is one, its 95 % interval over images. The spread of the seeds is all that is said of another seed."
          : "Bands: 95 % intervals over images; one seed, so nothing here speaks of another one.",
        "A network with one epoch alone, as a teacher that is not followed, is a dotted level.",
        all.length > places.length ? `${all.length - places.length} of ${all.length} places are left out: choose with the lists above.` : "",
        home.dataset.thinned ? `Of long curves ${home.dataset.thinned} epochs are drawn.` : "",
      ].filter(Boolean).join(" ");
      const parts = [legend(store, rows)];
      for (const metric of store.data.curves) {
        const axis = store.data.metrics[metric];
        const found = places.map(([place, own]) => ({ place, ...kdprobe.overviewSeries(store, own, metric) }));
        const yRange = reach(found, axis.share);
        const grid = make("div", { class: "multiples", "data-metric": metric });
        parts.push(make("h4", {}, kdprobe.symbol(axis), ` ${axis.title}`), grid);
        for (const { place, series, lines } of found) {
          const cell = make("div", {});
          grid.append(cell);
          cell.spec = { title: place || "all networks", xLabel: "epoch", yLabel: axis.unit, yRange, series, lines };
        }
      }
      drawn.replaceChildren(...parts);
      for (const cell of drawn.querySelectorAll(".multiples > div")) kdprobe.chart(cell, cell.spec); // sized by its place
    };
    store.listen({ shown: draw });
    draw();
  };
}
