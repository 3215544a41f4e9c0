"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const { MARGIN, MARKERS, finite, scales, axes, levels, curve } = kdprobe.chartParts;
  const NEAR = 36; // pixels from the pointer within which a point answers

  /**
   * A line chart in `container`: see `spec` {title, sign, xLabel, yLabel, yRange, series, lines, cursor}. A sign
   * {letter, index} stands before the title, its index below the line. Bands are the points' low ... high; a point
   * whose y is no number is a gap. Arrow keys walk over the points, Escape shuts the values. Gives {element,
   * update(spec), cursor(x)}.
   */
  kdprobe.chart = (container, first) => {
    const { make } = kdprobe;
    const hidden = new Set();
    const title = make("figcaption", { class: "chart-title" });
    const legend = make("div", { class: "chart-legend", role: "group", "aria-label": "Curves: shown or hidden" });
    const svg = make("svg:svg", { role: "group", preserveAspectRatio: "xMidYMid meet" });
    const tip = make("div", { class: "chart-tip", hidden: "", "aria-hidden": "true" });
    const plot = make("div", { class: "chart-plot" }, svg, tip);
    const element = make("figure", { class: "chart" }, title, legend, plot);
    const needle = make("svg:line", { class: "cursor" });
    let [spec, width, height, scale] = [first, 0, 0, null];

    const points = () => [...svg.querySelectorAll(".point")];
    const say = (dot) => {
      for (const each of svg.querySelectorAll(".point.read")) each.classList.remove("read");
      tip.hidden = !dot;
      if (!dot) return;
      const { text, x, y } = dot.reading;
      dot.classList.add("read");
      tip.replaceChildren(...text.map((line, k) => make(k ? "span" : "b", {}, line)));
      const ratio = plot.clientWidth / width || 1;
      const left = Math.min(x * ratio - tip.offsetWidth / 2, plot.clientWidth - tip.offsetWidth);
      tip.style.left = `${Math.max(0, left)}px`;
      const above = y * ratio - tip.offsetHeight - 10;
      tip.style.top = `${above >= 0 ? above : y * ratio + 12}px`;
    };
    const cursor = (x) => {
      spec = { ...spec, cursor: x };
      const { left, right } = scale.range;
      needle.toggleAttribute("hidden", !finite(x) || x < left || x > right);
      if (!finite(x)) return;
      const ends = { x1: scale.x(x), x2: scale.x(x), y1: MARGIN.top, y2: height - MARGIN.bottom };
      for (const [name, value] of Object.entries(ends)) needle.setAttribute(name, value);
    };
    const draw = () => {
      const focused = svg.contains(document.activeElement) ? points().indexOf(document.activeElement) : -1;
      width = plot.clientWidth || width || 640;
      height = Math.round(Math.max(210, Math.min(320, width * 0.56)));
      const shown = spec.series.filter((series) => !hidden.has(series.name));
      scale = scales(spec, shown, width, height);
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const label = `${spec.title}: ${spec.yLabel} over ${spec.xLabel}. Arrow keys walk over the points.`;
      svg.setAttribute("aria-label", label);
      const curves = shown.map((each) => curve(each, scale, spec));
      svg.replaceChildren(...axes(spec, scale, width, height), needle, ...curves, ...levels(spec, scale, width));
      cursor(spec.cursor);
      const dots = points();
      const current = dots[focused] ?? dots.at(-1);
      current?.setAttribute("tabindex", 0);
      if (focused >= 0) current?.focus({ preventScroll: true });
      else say(null);
    };
    const entry = (series) => {
      const kind = `c${series.colour % 8}${series.dash ? " dash" : ""}`;
      const sample = make("svg:svg", { class: kind, viewBox: "0 0 30 10", "aria-hidden": "true" },
        make("svg:path", { class: "line", d: "M1 5H29" }),
        make("svg:path", { class: "mark", d: MARKERS[series.colour % 8], transform: "translate(15 5)" }));
      const pressed = () => String(!hidden.has(series.name));
      const name = make("span", {}, series.name);
      const button = make("button", { type: "button", "aria-pressed": pressed() }, sample, name);
      button.addEventListener("click", () => {
        if (!hidden.delete(series.name)) hidden.add(series.name);
        button.setAttribute("aria-pressed", pressed());
        draw();
      });
      return button;
    };
    let listed = "";
    const update = (next) => {
      spec = next;
      title.replaceChildren(...(spec.sign ? [kdprobe.symbol(spec.sign), " "] : []), spec.title);
      const list = JSON.stringify(spec.series.map(({ name, colour, dash }) => [name, colour, dash]));
      // Only then: a pressed button would lose its focus.
      if (list !== listed) legend.replaceChildren(...spec.series.map(entry));
      listed = list;
      draw();
    };

    const walk = (event) => {
      const dots = points();
      const here = dots.indexOf(event.target.closest(".point"));
      if (here < 0) return;
      const { series, x } = dots[here].reading;
      const names = [...new Set(dots.map((dot) => dot.reading.series))];
      const other = (step) => {
        const name = names[(names.indexOf(series) + step + names.length) % names.length];
        return nearest(dots.filter((dot) => dot.reading.series === name), (dot) => Math.abs(dot.reading.x - x));
      };
      const goals = { ArrowRight: dots[here + 1], ArrowLeft: dots[here - 1], Home: dots[0], End: dots.at(-1) };
      if (event.key === "Escape") say(null);
      if (event.key === "ArrowUp") goals.ArrowUp = other(-1);
      if (event.key === "ArrowDown") goals.ArrowDown = other(1);
      if (!(event.key in goals)) return;
      event.preventDefault();
      goals[event.key]?.focus();
    };
    const nearest = (dots, distance) =>
      dots.reduce((best, dot) => (best === null || distance(dot) < distance(best) ? dot : best), null);
    const hover = (event) => {
      const box = svg.getBoundingClientRect();
      const ratio = width / box.width;
      const away = ({ reading }) =>
        Math.hypot(reading.x - (event.clientX - box.left) * ratio, reading.y - (event.clientY - box.top) * ratio);
      const dot = nearest(points(), away);
      say(dot && away(dot) < NEAR ? dot : null);
    };
    svg.addEventListener("focusin", (event) => {
      for (const dot of points()) dot.setAttribute("tabindex", dot === event.target ? 0 : -1);
      say(event.target.closest(".point"));
    });
    svg.addEventListener("focusout", () => say(null));
    svg.addEventListener("keydown", walk);
    svg.addEventListener("pointermove", hover);
    svg.addEventListener("pointerdown", hover);
    svg.addEventListener("pointerleave", () => say(null));

    container.append(element);
    update(first);
    new ResizeObserver(() => plot.clientWidth && plot.clientWidth !== width && draw()).observe(plot);
    return { element, update, cursor };
  };
}
