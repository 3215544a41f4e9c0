"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const DRAWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "font-size",
    "font-weight", "font-family", "opacity", "paint-order"];

  /** Hands `blob` to the reader as a file. */
  const save = (name, blob) => {
    const address = URL.createObjectURL(blob);
    const link = kdprobe.make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };

  // A field that begins like a formula is one to a spreadsheet; an apostrophe makes it text. Numbers stay numbers.
  const field = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  /** Rows of values as CSV (RFC 4180); numbers in full precision, an empty field where there is none. */
  kdprobe.csv = (rows) => rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

  // What a chart shows, as rows; `spec.column` names the values, otherwise the axis does.
  const chartRows = (spec) => [
    ["series", spec.xLabel, spec.column ?? spec.yLabel, "low", "high", "note"],
    ...spec.series.flatMap(({ name, points }) => points.map((p) => [name, p.x, p.y, p.low, p.high, p.note])),
  ];

  // The SVG of a chart as text that looks the same elsewhere: style resolved, on the page's colour, title and legend.
  const svgText = (chart, spec) => {
    const { make } = kdprobe;
    const shown = chart.element.querySelector(".chart-plot svg");
    const copy = shown.cloneNode(true);
    const [originals, copies] = [shown.querySelectorAll("*"), copy.querySelectorAll("*")];
    originals.forEach((original, k) => {
      const style = getComputedStyle(original);
      if (style.display === "none") copies[k].setAttribute("display", "none");
      for (const name of DRAWN) copies[k].setAttribute(name, style.getPropertyValue(name));
      for (const name of ["class", "tabindex", "role"]) copies[k].removeAttribute(name);
    });
    const [, , width, height] = shown.getAttribute("viewBox").split(" ").map(Number);
    const text = getComputedStyle(chart.element).color;
    const lineOf = ({ colour, dash }) => shown.querySelector(`.c${colour % 8}${dash ? ".dash" : ":not(.dash)"} .line`);
    const series = spec.series.filter(lineOf);
    const head = 24 + 18 * series.length;
    const font = { "font-family": "system-ui, sans-serif", "font-size": "12px", fill: text };
    const entries = series.flatMap((each, k) => {
      const at = 36 - head + 18 * k;
      const dashes = each.dash ? "6 4" : undefined;
      const drawn = { stroke: getComputedStyle(lineOf(each)).stroke, "stroke-width": 2, "stroke-dasharray": dashes };
      return [
        make("svg:line", { x1: 8, x2: 34, y1: at - 4, y2: at - 4, ...drawn }),
        make("svg:text", { ...font, x: 42, y: at }, each.name),
      ];
    });
    const page = getComputedStyle(document.body).backgroundColor;
    copy.prepend(
      make("svg:rect", { x: 0, y: -head, width, height: height + head, fill: page }),
      make("svg:text", { ...font, "font-size": "14px", "font-weight": 600, x: 8, y: 18 - head }, spec.title),
      ...entries);
    const box = { viewBox: `0 ${-head} ${width} ${height + head}`, width, height: height + head };
    for (const [name, value] of Object.entries(box)) copy.setAttribute(name, value);
    for (const name of ["role", "class"]) copy.removeAttribute(name);
    return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`;
  };

  const table = (rows) => new Blob([kdprobe.csv(rows)], { type: "text/csv" });

  const button = (text, act) => {
    const made = kdprobe.make("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  };

  /** Buttons that hand over a chart as CSV and as SVG. */
  kdprobe.chartFiles = (chart, spec, name) =>
    kdprobe.make("div", { class: "files", role: "group", "aria-label": `Files of ${name}` },
      button("CSV", () => save(`${name}.csv`, table(chartRows(spec())))),
      button("SVG", () => save(`${name}.svg`, new Blob([svgText(chart, spec())], { type: "image/svg+xml" }))));

  // The explorer's numbers of every image of the page at its epoch and margin, as rows.
  const explorerRows = ({ data, layer, shown, epoch, b, all }) => [
    ["layer", "network", "role", "epoch", "margin_nats", "image", "class", ...Object.keys(kdprobe.metrics)],
    ...shown.flatMap(({ network }) => {
      const k = kdprobe.counting.clamped(network, epoch);
      return all.map((n) => {
        const { id, label } = data.images[n];
        const found = kdprobe.counting.image(layer, network, k, b, n);
        const place = [layer.layer, network.name, network.role, network.epochs[k], b, id, data.classes[label]];
        return [...place, ...Object.values(found)];
      });
    }),
  ];

  const sheet = ({ shown, epoch, b, data, n }) => {
    const cards = [...document.querySelectorAll("#explorer .network")];
    const [first] = cards[0].querySelectorAll("canvas");
    const [w, h, head, gap] = [first.width, first.height, 44, 16];
    const canvas = kdprobe.make("canvas", { width: 2 * w + 3 * gap, height: cards.length * (h + head) + head + gap });
    const context = canvas.getContext("2d");
    const write = (text, y, weight) => {
      context.font = `${weight} 15px system-ui, sans-serif`;
      context.fillText(text, gap, y, canvas.width - 2 * gap);
    };
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#1b1f24";
    write(`${data.images[n].id} · epoch ${epoch} · b = ${b} nats`, 28, 400);
    cards.forEach((card, place) => {
      const top = head + place * (h + head);
      context.fillStyle = "#1b1f24";
      write(shown[place].network.name, top + 26, 600);
      const maps = [...card.querySelectorAll("canvas")];
      maps.forEach((drawn, k) => context.drawImage(drawn, gap + k * (w + gap), top + 36, w, h));
    });
    return canvas;
  };

  /** Buttons that hand over what the explorer shows. */
  kdprobe.explorerFiles = ({ state }) =>
    kdprobe.make("div", { class: "files", role: "group", "aria-label": "Files of the explorer" },
      button("Numbers of all images at this margin and epoch (CSV)", () =>
        save("explorer.csv", table(explorerRows(state)))),
      button("Concept and entropy maps (PNG)", () => sheet(state).toBlob((blob) => save("maps.png", blob))));
}
