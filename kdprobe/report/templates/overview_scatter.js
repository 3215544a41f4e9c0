"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const MARGIN = { top: 28, right: 18, bottom: 44, left: 56 };
  const NEAR = 30; // pixels from the pointer within which a point answers
  const SHAPES = ["M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z", "M-4-4h8v8h-8z", "M0-5.5L5 4H-5z", "M0-6L5 0L0 6L-5 0z", "M0 5.5L5-4H-5z",
    "M-5-1.7h3.3v-3.3h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3z"];

  const range = (rows, key) => {
    const values = rows.flatMap((row) => [kdprobe.overviewValue(row, key), ...(kdprobe.overviewEnds(row, key) ?? [])]).filter(Number.isFinite);
    if (!values.length) return [0, 1];
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const { step } = kdprobe.ticks(low, high);
    return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  };

  const words = (data, row, keys) => [
    kdprobe.overviewName(row),
    ...keys.map((key) => {
      const ends = kdprobe.overviewEnds(row, key);
      const interval = ends ? ` [${ends.map((end) => kdprobe.number(end)).join(", ")}]` : "";
      return `${kdprobe.overviewAxis(data, key).sign}: ${kdprobe.number(kdprobe.overviewValue(row, key))}${interval}`;
    }),
  ];

  const label = (data, key) => {
    const { sign, title, unit } = kdprobe.overviewAxis(data, key);
    return `${sign}, ${title} / ${unit}`;
  };

  /** Two metrics against each other, each network with both intervals; a click shows its row in the table. */
  kdprobe.overviewScatter = (home, store) => {
    const { make, overviewSelect, overviewValue, overviewEnds } = kdprobe;
    const { data, rows } = store;
    const keys = [...(rows.some((row) => row.accuracy !== null) ? ["accuracy"] : []), ...data.order];
    const chosen = { x: "n_background", y: "n_foreground", by: "method" };
    const choices = keys.map((key) => [key, label(data, key).split(" / ")[0]]);
    const sets = store.kinds("data");
    const shape = (row) => SHAPES[sets.indexOf(row.data) % SHAPES.length];
    const svg = make("svg:svg", { role: "group" });
    const tip = make("div", { class: "chart-tip", hidden: "", "aria-hidden": "true" });
    const plot = make("div", { class: "chart-plot" }, svg, tip);
    const legend = make("ul", { class: "overview-legend", "aria-label": "Colours and shapes of the points" });
    const note = make("p", { class: "small", id: "overview-scatter-note" });
    let [width, height, picked] = [0, 0, null];

    const points = () => [...svg.querySelectorAll(".point")];
    const say = (dot) => {
      for (const each of svg.querySelectorAll(".point.read")) each.classList.remove("read");
      tip.hidden = !dot;
      if (!dot) return;
      dot.classList.add("read");
      tip.replaceChildren(...dot.reading.text.map((line, k) => make(k ? "span" : "b", {}, line)));
      const ratio = plot.clientWidth / width || 1;
      const { x, y } = dot.reading;
      tip.style.left = `${Math.max(0, Math.min(x * ratio - tip.offsetWidth / 2, plot.clientWidth - tip.offsetWidth))}px`;
      const above = y * ratio - tip.offsetHeight - 10;
      tip.style.top = `${above >= 0 ? above : y * ratio + 12}px`;
    };
    const axes = (at, reach) => {
      const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
      const parts = [];
      for (const { at: value, text } of kdprobe.ticks(...reach.y).found) {
        parts.push(make("svg:line", { class: "grid", x1: MARGIN.left, x2: right, y1: at.y(value), y2: at.y(value) }),
          make("svg:text", { class: "tick", "data-axis": "y", x: MARGIN.left - 6, y: at.y(value) + 4, "text-anchor": "end" }, text));
      }
      for (const { at: value, text } of kdprobe.ticks(...reach.x).found) {
        parts.push(make("svg:line", { class: "grid", x1: at.x(value), x2: at.x(value), y1: MARGIN.top, y2: bottom }),
          make("svg:text", { class: "tick", "data-axis": "x", x: at.x(value), y: bottom + 17, "text-anchor": "middle" }, text));
      }
      return [...parts,
        make("svg:text", { class: "label", x: 2, y: 14 }, label(data, chosen.y)),
        make("svg:text", { class: "label", x: right, y: height - 8, "text-anchor": "end" }, label(data, chosen.x))];
    };
    const dot = (k, at) => {
      const row = rows[k];
      const [x, y] = [at.x(overviewValue(row, chosen.x)), at.y(overviewValue(row, chosen.y))];
      const text = words(data, row, [chosen.x, chosen.y]);
      const group = make("svg:g", { class: `point c${store.colour(row, chosen.by)}${k === picked ? " picked" : ""}`, role: "button", tabindex: -1,
        "data-row": k, "aria-label": `${text.join(", ")}: show its row` }, make("svg:title", {}, text.join("\n")));
      const bar = (axis, ends) => ends && group.append(make("svg:line", axis === "x"
        ? { class: "error", "data-axis": axis, x1: at.x(ends[0]), x2: at.x(ends[1]), y1: y, y2: y }
        : { class: "error", "data-axis": axis, x1: x, x2: x, y1: at.y(ends[0]), y2: at.y(ends[1]) }));
      for (const axis of ["x", "y"]) bar(axis, overviewEnds(row, chosen[axis]));
      group.append(make("svg:path", { class: "mark", d: shape(row), transform: `translate(${x} ${y})` }));
      group.reading = { text, x, y };
      return group;
    };
    const draw = () => {
      const active = svg.contains(document.activeElement) ? document.activeElement.dataset.row : null;
      width = plot.clientWidth || width || 640;
      height = Math.round(Math.max(300, Math.min(480, width * 0.6)));
      const shown = store.shown();
      const held = shown.filter((k) => [chosen.x, chosen.y].every((key) => Number.isFinite(overviewValue(rows[k], key))));
      held.sort((a, b) => overviewValue(rows[a], chosen.x) - overviewValue(rows[b], chosen.x) || a - b);
      const own = held.map((k) => rows[k]);
      const reach = { x: range(own, chosen.x), y: range(own, chosen.y) };
      const part = ([low, high], value) => (value - low) / (high - low);
      const at = {
        x: (value) => MARGIN.left + part(reach.x, value) * (width - MARGIN.left - MARGIN.right),
        y: (value) => height - MARGIN.bottom - part(reach.y, value) * (height - MARGIN.top - MARGIN.bottom),
      };
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("aria-label", `${label(data, chosen.y)} against ${label(data, chosen.x)}. Arrow keys walk over the networks, Enter shows the row.`);
      svg.replaceChildren(...axes(at, reach), ...held.map((k) => dot(k, at)));
      const dots = points();
      const current = dots.find((each) => each.dataset.row === active) ?? dots[0];
      current?.setAttribute("tabindex", 0);
      if (active !== null) current?.focus({ preventScroll: true });
      else say(null);
      const missing = shown.length - held.length;
      note.textContent = "Bars: 95 % intervals over images, which leave out the variation between seeds; the accuracy has none. A click shows the network's row." +
        (missing ? ` ${missing} networks without one of the two values are not drawn.` : "");
      const kinds = new Map(own.map((row) => [chosen.by === "role" ? row.role : row.method, row]));
      const used = [...new Set(own.map((row) => row.data))];
      legend.replaceChildren(
        ...[...kinds].map(([name, row]) => make("li", {}, make("span", { class: `dot c${store.colour(row, chosen.by)}`, "aria-hidden": "true" }), name)),
        ...(sets.length > 1 ? used : []).map((name) => make("li", {}, make("svg:svg", { class: "shape", viewBox: "-7 -7 14 14", "aria-hidden": "true" },
          make("svg:path", { d: SHAPES[sets.indexOf(name) % SHAPES.length] })), name)));
    };
    const set = (name) => (value) => {
      chosen[name] = value;
      draw();
    };
    const nearest = (event) => {
      const box = svg.getBoundingClientRect();
      const ratio = width / box.width;
      const away = ({ reading }) => Math.hypot(reading.x - (event.clientX - box.left) * ratio, reading.y - (event.clientY - box.top) * ratio);
      const found = points().reduce((best, each) => (best === null || away(each) < away(best) ? each : best), null);
      return found && away(found) < NEAR ? found : null;
    };
    const pick = (found, focus) => found && store.pick(Number(found.dataset.row), focus);
    svg.addEventListener("pointermove", (event) => say(nearest(event)));
    svg.addEventListener("pointerleave", () => say(null));
    svg.addEventListener("click", (event) => pick(nearest(event), false));
    svg.addEventListener("focusin", (event) => {
      for (const each of points()) each.setAttribute("tabindex", each === event.target ? 0 : -1);
      say(event.target.closest(".point"));
    });
    svg.addEventListener("focusout", () => say(null));
    svg.addEventListener("keydown", (event) => {
      const dots = points();
      const here = dots.indexOf(event.target);
      const goals = { ArrowRight: dots[here + 1], ArrowLeft: dots[here - 1], Home: dots[0], End: dots.at(-1) };
      if (event.key === "Escape") say(null);
      if (event.key === "Enter" || event.key === " ") pick(event.target.closest(".point"), true);
      else if (!(event.key in goals)) return;
      event.preventDefault();
      goals[event.key]?.focus();
    });
    home.append(make("h3", {}, "Two metrics against each other"),
      make("div", { class: "choices", role: "group", "aria-label": "What is drawn" },
        overviewSelect("across", "overview-x", choices, set("x"), chosen.x), overviewSelect("up", "overview-y", choices, set("y"), chosen.y),
        overviewSelect("colour", "overview-by", [["method", "by method"], ["role", "by role"]], set("by"), chosen.by)),
      legend, make("figure", { class: "chart scatter" }, plot), note);
    store.listen({
      shown: draw,
      picked: (place) => {
        picked = place;
        for (const each of points()) each.classList.toggle("picked", Number(each.dataset.row) === place);
      },
    });
    draw();
    new ResizeObserver(() => plot.clientWidth && plot.clientWidth !== width && draw()).observe(plot);
  };
}
