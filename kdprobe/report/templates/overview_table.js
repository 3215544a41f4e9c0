"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  // Texts by their UTF-16 units, as every browser does alike; rows without a value come last both ways.
  const compare = (one, other, sign) => {
    if (one === null || other === null) return (one === null) - (other === null);
    return one < other ? -sign : one > other ? sign : 0;
  };

  /** Places of rows in the order of a column; of equal ones the first stays first. `sign`: 1 upwards, -1 downwards. */
  kdprobe.overviewOrder = (rows, key, sign) => {
    const values = rows.map((row) => kdprobe.overviewValue(row, key));
    return rows.map((_, k) => k).sort((a, b) => compare(values[a], values[b], sign) || a - b);
  };

  /** Rows as CSV fields: names, accuracy, and of each metric value, interval, n and the difference to the baseline. */
  kdprobe.overviewRows = (data, places) => {
    const names = ["data", "model", "layer", "network", "role", "method", "seed", "accuracy"];
    const metrics = data.order;
    const ends = ["", "_low", "_high", "_n"];
    const head = metrics.flatMap((metric) => [
      ...ends.map((end) => metric + end), ...ends.map((end) => `${metric}_difference${end}`), `${metric}_verdict`,
    ]);
    const none = ends.map(() => null);
    return [
      [...names, ...head],
      ...places.map((k) => {
        const row = data.rows[k];
        return [
          ...names.map((name) => row[name]),
          ...metrics.flatMap((metric) => [...(row.metrics[metric] ?? none), ...(row.gaps[metric] ?? [...none, null])]),
        ];
      }),
    ];
  };

  /** Makes the headers of `table` sort it, and its rows follow the store. */
  kdprobe.overviewTable = (table, store) => {
    const { make } = kdprobe;
    const [body] = table.tBodies;
    const lines = [...body.rows].sort((a, b) => a.dataset.row - b.dataset.row);
    const heads = [...table.tHead.rows[0].cells];
    let order = lines.map((_, k) => k);

    const sort = (head) => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      order = kdprobe.overviewOrder(store.rows, head.dataset.key, sign);
      body.append(...order.map((k) => lines[k]));
    };
    for (const head of heads) {
      const button = make("button", { type: "button", class: "sort" }, ...head.childNodes);
      if (head.dataset.words) button.setAttribute("aria-label", `${head.dataset.words}: sort`);
      button.addEventListener("click", () => sort(head));
      head.replaceChildren(button);
    }
    store.listen({
      shown: () => {
        const seen = new Set(store.shown());
        lines.forEach((line, k) => line.toggleAttribute("hidden", !seen.has(k)));
      },
      picked: (place, focus) => {
        for (const line of lines) {
          line.classList.remove("picked");
          line.removeAttribute("aria-current");
        }
        if (place === null) return;
        lines[place].classList.add("picked");
        lines[place].setAttribute("aria-current", "true");
        lines[place].scrollIntoView({ block: "nearest", inline: "nearest" });
        if (focus) lines[place].cells[0].focus({ preventScroll: true });
      },
    });
    return { order: () => order.filter((k) => !lines[k].hidden) };
  };
}
