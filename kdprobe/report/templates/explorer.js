"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  const legend = ({ data }) => {
    const { make } = kdprobe;
    const { grid } = data.settings;
    const sample = (kind) => make("span", { class: `swatch ${kind}`, "aria-hidden": "true" });
    const entry = (kind, text) => make("li", {}, sample(kind), text);
    return make("ul", { class: "swatches", "aria-label": `Colours; the grid has ${grid} × ${grid} cells` },
      entry("inside", "concept on the foreground"), entry("outside", "concept on the background"),
      entry("outline", "outline of the foreground cells"));
  };

  const colourBar = () => {
    const { make, drawing } = kdprobe;
    const bar = make("canvas", { width: 256, height: 12, "aria-hidden": "true" });
    const [low, high] = [make("span", {}), make("span", {})];
    drawing.drawScale(bar);
    const text = make("figcaption", {}, make("i", {}, "H"),
      " / nats: dark is kept, light discarded; one scale for all networks, epochs and images");
    const element = make("figure", { class: "colour-bar" }, make("div", {}, low, bar, high), text);
    const update = ({ range }) => {
      low.textContent = `≤ ${range.low.toFixed(2).replace("-", "−")}`;
      high.textContent = `≥ ${range.high.toFixed(2).replace("-", "−")}`;
    };
    return { element, update };
  };

  const original = (store) => {
    const { make, drawing } = kdprobe;
    const canvas = kdprobe.cellCanvas(store);
    const caption = make("figcaption", {});
    const update = ({ data, n, outline }) => {
      const { id, label } = data.images[n];
      caption.replaceChildren(make("b", {}, data.classes[label]), " ", make("span", { class: "name" }, id));
      const outlined = outline ? ", its foreground cells outlined" : "";
      canvas.setAttribute("aria-label", `The image ${id} of class ${data.classes[label]}${outlined}`);
    };
    const draw = ({ data, layer, n, outline, cell, picture }) =>
      drawing.drawImage(canvas, {
        grid: data.settings.grid, picture: picture(n), outline, cell,
        foreground: layer.foreground.subarray(n * layer.cells, (n + 1) * layer.cells),
      });
    return { element: make("figure", {}, canvas, caption), update, draw };
  };

  const mountExplorer = (home, store) => {
    const { make } = kdprobe;
    const { state, change } = store;
    const controls = kdprobe.controls(store);
    const bar = colourBar();
    const path = kdprobe.cellPath();
    const photograph = original(store);
    const cards = make("div", { class: "networks" });
    const beside = make("div", { class: "beside" }, photograph.element, make("div", {}, legend(state), bar.element));
    home.append(controls.element, controls.sliders, beside, cards, path.element, kdprobe.explorerFiles(store));

    let [layer, parts] = [null, []];
    store.onNumbers(() => {
      if (layer !== state.layer) {
        layer = state.layer;
        const made = state.shown.map((each) => kdprobe.card(store, each));
        cards.replaceChildren(...made.map((card) => card.element));
        parts = [...made, path, photograph];
        bar.update(state);
      }
      for (const part of parts) part.update(state);
    });
    store.onPictures(() => {
      for (const part of parts) part.draw(state);
    });
    new ResizeObserver(() => change({})).observe(home);
    home.addEventListener("keydown", (event) => {
      const { target, key } = event;
      if (event.altKey || event.ctrlKey || event.metaKey || target.closest("input, select")) return;
      if (key === "n") document.getElementById("explorer-next").click();
      if (key === "p") document.getElementById("explorer-previous").click();
    });
  };

  const source = document.getElementById("kdprobe-data");
  if (source) {
    const data = kdprobe.counting.decode(JSON.parse(source.textContent));
    const store = kdprobe.store(data);
    const [home, curves] = [document.getElementById("explorer"), document.getElementById("live-curves")];
    store.state.picture = kdprobe.pictureShelf(data.images, () => store.change({}));
    if (home) mountExplorer(home, store);
    if (curves) kdprobe.liveCurves(curves, store);
    kdprobe.explorer = store;
    store.change({ place: 0 });
  }
}
