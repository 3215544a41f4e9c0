"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  /** The path of the chosen cell over the epochs, of all networks: {element, update(state), draw(state)}. */
  kdprobe.cellPath = () => {
    const { make, counting } = kdprobe;
    const words = make("ul", { class: "cell-words", role: "status" });
    const hint = make("p", { class: "small" },
      "Click a cell of any map, or go to a map with Tab and press arrow keys: its path over the epochs is shown here.");
    const holder = make("div", {});
    const element = make("div", { class: "cell-path" }, hint, words, holder);
    let chart = null;

    const spec = (state) => {
      const { layer, n, cell, b } = state;
      return {
        title: kdprobe.cellPlace(state),
        xLabel: "epoch",
        yLabel: "H − H̄ / nats (below the line: a concept)",
        lines: [{ y: -b, name: `−b = ${kdprobe.number(-b)}` }],
        cursor: state.epoch,
        series: state.shown.map(({ network, colour }) => ({
          name: network.name,
          colour,
          points: counting.cellPath(layer, network, n, cell).map((y, k) => ({
            x: network.epochs[k], y, note: -y > b ? "a concept" : "no concept",
          })),
        })),
      };
    };
    const update = (state) => {
      const picked = state.cell !== null;
      if (!picked) {
        holder.replaceChildren();
        chart = null;
      }
      words.replaceChildren(...(picked ? state.shown : []).map(({ network }) => {
        const k = counting.clamped(network, state.epoch);
        const text = ` at epoch ${network.epochs[k]}: ${kdprobe.cellValue(state, network, k)}`;
        return make("li", {}, make("b", {}, network.name), text);
      }));
    };
    const draw = (state) => {
      if (state.cell === null) return;
      if (chart) chart.update(spec(state));
      else {
        chart = kdprobe.chart(holder, spec(state));
        holder.append(kdprobe.chartFiles(chart, () => spec(state), "cell"));
      }
    };
    return { element, update, draw };
  };
}
