"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const OTHER = 7; // no role that has a colour of its own

  /**
   * Networks of the page and what the reader chose of them: `rows`, `filters` (name of a field: its value as text),
   * `shown()` (places of the rows that pass), `colour(row, by)`. `listen({shown, picked})`: told of changes.
   */
  kdprobe.overviewStore = (data) => {
    const { rows } = data;
    const [filters, listeners] = [new Map(), []];
    const { students: palette, ...roles } = kdprobe.colours;
    const students = [...new Set(rows.filter((row) => row.role === "student").map((row) => row.method))];
    const tell = (what, ...values) => listeners.forEach((each) => each[what]?.(...values));
    return {
      data,
      rows,
      students,
      kinds: (name) => [...new Set(rows.map((row) => String(row[name] ?? "")))],
      shown: () => rows.flatMap((row, k) => ([...filters].every(([name, value]) => String(row[name] ?? "") === value) ? [k] : [])),
      filter: (name, value) => {
        if (value === null) filters.delete(name);
        else filters.set(name, value);
        tell("shown");
      },
      pick: (place, focus) => tell("picked", place, focus),
      listen: (each) => listeners.push(each),
      colour: (row, by) => {
        if (row.role !== "student") return roles[row.role] ?? OTHER;
        return palette[by === "method" ? students.indexOf(row.method) % palette.length : 0];
      },
    };
  };

  /** What a column holds of a row: text, a number, or null. */
  kdprobe.overviewValue = (row, key) => {
    if (key in row) return row[key];
    return row.metrics[key]?.[0] ?? null;
  };

  /** [low, high] of a metric's interval in a row, or null. */
  kdprobe.overviewEnds = (row, key) => {
    const [, low, high] = row.metrics[key] ?? [];
    return Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
  };

  /** Data set, architecture and layer of a row. */
  kdprobe.overviewPlace = (row) => [row.data, row.model, row.layer].filter((text) => text !== "").join(" · ");

  /** Which network a row is about. */
  kdprobe.overviewName = (row) =>
    [row.network, kdprobe.overviewPlace(row), ...(row.seed === null ? [] : [`seed ${row.seed}`])].join(", ");

  /** A title, unit and sign for an axis of the page: of a metric or of the accuracy. */
  kdprobe.overviewAxis = (data, key) =>
    key === "accuracy" ? { sign: "accuracy", title: "on the test split", unit: "share", share: true } : data.metrics[key];
}
