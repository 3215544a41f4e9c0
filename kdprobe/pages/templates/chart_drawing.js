"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { top: 26, right: 14, bottom: 40, left: 50 };
  const MARKERS = [
    "M-3-0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "M-2.8-2.8h5.6v5.6h-5.6z",
    "M0-3.8L3.5 2.6H-3.5z",
    "M0-4L3.4 0L0 4L-3.4 0z",
    "M0 3.8L3.5-2.6H-3.5z",
    "M-3.4-1.2h2.2v-2.2h2.4v2.2h2.2v2.4h-2.2v2.2h-2.4v-2.2h-2.2z",
    "M-3.6 0L-1.8-3.2H1.8L3.6 0L1.8 3.2H-1.8z",
    "M-1.6-3.6h3.2v7.2h-3.2z",
  ];

  /** An element with attributes (undefined and null ones left out) and children; "svg:line" is one of SVG's. */
  kdprobe.make = (tag, attributes = {}, ...children) => {
    const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  /** The sign of a metric, {letter, index}, as the rest of the page writes it: the index below the line. */
  kdprobe.symbol = ({ letter, index }) =>
    kdprobe.make("span", { class: "symbol" },
      kdprobe.make("i", {}, letter), ...(index ? [kdprobe.make("sub", {}, index)] : []));

  /** Which of the eight colours a network has, by its role; students have theirs one after the other. */
  kdprobe.colours = { students: [0, 2, 3, 4, 5, 7], baseline: 1, teacher: 6 };

  /** A number as people read it: at most `digits` significant ones, a true minus sign; "none" if it is not finite. */
  kdprobe.number = (value, digits = 4) =>
    Number.isFinite(value) ? String(Number(value.toPrecision(digits))).replace("-", "−") : "none";

  /** `value` with so many decimals as Python writes it: toFixed, but a half goes to the even digit. */
  kdprobe.fixed = (value, decimals) => {
    const [whole, rest] = value.toFixed(60).split(".");
    const [kept, cut] = [rest.slice(0, decimals), rest.slice(decimals)];
    const even = Number(`${whole}${kept}`.at(-1)) % 2 === 0;
    const text = even && /^50*$/.test(cut) ? [whole, kept].filter(Boolean).join(".") : value.toFixed(decimals);
    return text.replace("-", "−");
  };

  /** Round places for the ticks of an axis inside low ... high: about five of them, or every `given` units. */
  kdprobe.ticks = (low, high, given) => {
    const rough = Math.floor(Math.log10((high - low) / 5));
    const steps = [-1, 0, 1].flatMap((k) => [1, 2, 5].map((digit) => digit * 10 ** (rough + k)));
    const away = (step) => Math.abs(Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1 - 5);
    const step = given ?? steps.reduce((best, each) => (away(each) < away(best) ? each : best));
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
      found.push({ at: k * step, text: (k * step).toFixed(decimals).replace("-", "−") });
    }
    return { step, found };
  };

  const finite = (value) => typeof value === "number" && Number.isFinite(value);
  const banded = (point) => finite(point.y) && finite(point.low) && finite(point.high);

  const extent = (values, otherwise) => {
    const known = values.filter(finite);
    if (known.length === 0) return otherwise;
    const [low, high] = [Math.min(...known), Math.max(...known)];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  };

  const runs = (points, holds) => {
    const found = [[]];
    for (const point of points) {
      if (holds(point)) found.at(-1).push(point);
      else if (found.at(-1).length) found.push([]);
    }
    return found.filter((run) => run.length);
  };

  const words = (series, point, spec) => {
    const interval = banded(point) ? ` [${kdprobe.number(point.low)}, ${kdprobe.number(point.high)}]` : "";
    const place = `${spec.xLabel} ${kdprobe.number(point.x)}`;
    return [`${series.name}: ${kdprobe.number(point.y)}${interval}`, point.note ? `${place} · ${point.note}` : place];
  };

  const scales = (spec, shown, width, height) => {
    const all = shown.flatMap((series) => series.points);
    const [left, right] = extent(all.filter((p) => finite(p.y)).map((p) => p.x), [0, 1]);
    let [low, high] = spec.yRange ?? extent(
      [...all.flatMap((p) => [p.y, p.low, p.high]), ...(spec.lines ?? []).map((line) => line.y)], [0, 1]);
    let step;
    if (!spec.yRange) {
      if (low > 0 && low < 0.4 * high) low = 0;
      ({ step } = kdprobe.ticks(low, high));
      [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
    }
    const [w, h] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    return {
      x: (x) => MARGIN.left + ((x - left) / (right - left)) * w,
      y: (y) => MARGIN.top + (1 - (y - low) / (high - low)) * h,
      range: { left, right, low, high, step },
    };
  };

  const axes = (spec, { x, y, range }, width, height) => {
    const { make } = kdprobe;
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    const parts = [];
    for (const { at, text } of kdprobe.ticks(range.low, range.high, range.step).found) {
      parts.push(make("svg:line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(at), y2: y(at) }));
      parts.push(make("svg:text", { class: "tick", x: MARGIN.left - 6, y: y(at) + 4, "text-anchor": "end" }, text));
    }
    for (const { at, text } of kdprobe.ticks(range.left, range.right).found) {
      parts.push(make("svg:line", { class: "axis", x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4 }));
      parts.push(make("svg:text", { class: "tick", x: x(at), y: bottom + 17, "text-anchor": "middle" }, text));
    }
    parts.push(make("svg:line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }));
    parts.push(make("svg:text", { class: "label", x: 2, y: 13 }, spec.yLabel));
    parts.push(make("svg:text", { class: "label", x: right, y: height - 6, "text-anchor": "end" }, spec.xLabel));
    return parts;
  };

  const levels = (spec, { y }, width) => {
    const { make } = kdprobe;
    const right = width - MARGIN.right;
    return (spec.lines ?? []).flatMap((line) => [
      make("svg:line", { class: "level", x1: MARGIN.left, x2: right, y1: y(line.y), y2: y(line.y) }),
      make("svg:text", { class: "level-name", x: right, y: y(line.y) - 4, "text-anchor": "end" }, line.name),
    ]);
  };

  const curve = (series, { x, y }, spec) => {
    const { make } = kdprobe;
    const at = (point, value = point.y) => `${x(point.x).toFixed(2)} ${y(value).toFixed(2)}`;
    const group = make("svg:g", { class: `series c${series.colour % 8}${series.dash ? " dash" : ""}` });
    for (const run of runs(series.points, banded)) {
      const corners = [...run.map((p) => at(p, p.high)), ...run.toReversed().map((p) => at(p, p.low))];
      group.append(make("svg:path", { class: run.length > 1 ? "band" : "bar", d: `M${corners.join("L")}` }));
    }
    for (const run of runs(series.points, (point) => finite(point.y))) {
      group.append(make("svg:path", { class: "line", d: `M${run.map((p) => at(p)).join("L")}` }));
    }
    for (const point of series.points.filter((each) => finite(each.y))) {
      const text = words(series, point, spec);
      const mark = make("svg:path", { class: "mark", d: MARKERS[series.colour % 8] });
      const place = `translate(${x(point.x).toFixed(2)} ${y(point.y).toFixed(2)})`;
      const named = { role: "img", tabindex: -1, "aria-label": text.join(", ") };
      const title = make("svg:title", {}, text.join("\n"));
      const dot = make("svg:g", { class: "point", transform: place, ...named }, title, mark);
      dot.reading = { text, series: series.name, x: x(point.x), y: y(point.y) };
      group.append(dot);
    }
    return group;
  };

  kdprobe.chartParts = { MARGIN, MARKERS, finite, scales, axes, levels, curve };
}
