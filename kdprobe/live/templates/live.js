"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const data = JSON.parse(document.getElementById("kdprobe-live").textContent);

  // Lives as long as the tab: what the reader chose must outlast the reload. A page from file:// may have none.
  const memory = {
    get(key) {
      try { return sessionStorage.getItem(`kdprobe-live-${key}`); } catch { return null; }
    },
    set(key, value) {
      try { sessionStorage.setItem(`kdprobe-live-${key}`, value); } catch { /* then the choice ends with the page */ }
    },
  };

  const series = (metric, axis) => data.networks.map((network, place) => ({
    name: network.name,
    colour: place % 8,
    dash: place >= 8,
    points: network.epochs.map((epoch, k) => {
      const [y, low, high, n] = network[metric][k];
      return { x: axis === "path" ? network.path[k] : epoch, y, low, high, note: `epoch ${epoch}, n = ${n}` };
    }).filter((point) => point.x !== null),
  }));

  const spec = (metric, axis) => ({
    title: metric.title,
    xLabel: axis === "path" ? "weight path / units of the initial norm" : "epoch",
    yLabel: metric.label,
    yRange: metric.range ?? undefined,
    series: series(metric.name, axis),
  });

  const charts = document.getElementById("charts");
  const buttons = [...document.querySelectorAll("#axis button")];
  let axis = memory.get("axis") === "path" ? "path" : "epoch";
  const drawn = data.metrics.map((metric) => {
    const place = document.createElement("div");
    charts.append(place);
    const chart = kdprobe.chart(place, spec(metric, axis));
    const key = `hidden-${metric.name}`;
    const legend = () => [...place.querySelectorAll(".chart-legend button")];
    const hidden = new Set(JSON.parse(memory.get(key) ?? "[]"));
    for (const button of legend()) if (hidden.has(button.textContent)) button.click();
    place.addEventListener("click", () => {
      const off = legend().filter((button) => button.getAttribute("aria-pressed") === "false");
      memory.set(key, JSON.stringify(off.map((button) => button.textContent)));
    });
    return chart;
  });
  const choose = (chosen) => {
    axis = chosen;
    memory.set("axis", axis);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.axis === axis));
    data.metrics.forEach((metric, k) => drawn[k].update(spec(metric, axis)));
  };
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.axis === axis));
    button.addEventListener("click", () => choose(button.dataset.axis));
  }
  document.getElementById("axis").hidden = false;

  const said = document.getElementById("reload");
  if (said !== null) {
    const seconds = Number(said.dataset.seconds);
    const pause = document.getElementById("pause");
    let left = seconds;
    let paused = false;
    // Scroll position comes back by itself: browsers restore it when a page is reloaded.
    const tick = () => {
      if (paused || document.hidden) return;
      left -= 1;
      if (left <= 0) location.reload();
    };
    // Nobody likes a curve that goes away while it is read.
    for (const kind of ["pointermove", "focusin", "keydown"]) {
      charts.addEventListener(kind, () => { left = seconds; });
    }
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      left = seconds;
      pause.setAttribute("aria-pressed", String(paused));
      said.textContent = paused ? "Reloading is paused." : `The page reloads itself every ${seconds} s.`;
    });
    setInterval(tick, 1000);
  }
}
