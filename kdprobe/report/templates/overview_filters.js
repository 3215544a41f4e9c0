"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  /** A labelled list of choices [value, text]; `act` is told the value chosen. */
  kdprobe.overviewSelect = (name, id, choices, act, chosen) => {
    const { make } = kdprobe;
    const select = make("select", { id }, ...choices.map(([value, text]) => make("option", { value }, text)));
    if (chosen !== undefined) select.value = chosen;
    select.addEventListener("change", () => act(select.value));
    return make("label", { class: "choice", for: id }, make("span", {}, name), select);
  };

  /** Lists that choose the rows of the page, how many pass, and the table as a file. */
  kdprobe.overviewFilters = (home, store, table) => {
    const { make, overviewSelect } = kdprobe;
    const kinds = store.data.heads.map(([field, name]) => [field, name, store.kinds(field)])
      .filter(([field, , found]) => found.length > 1 && (field !== "network" || found.length > store.kinds("method").length));
    const selects = kinds.map(([field, name, found]) =>
      overviewSelect(name, `overview-${field}`, [["", "all"], ...found.map((text, k) => [String(k), text || "none"])], (value) =>
        store.filter(field, value === "" ? null : found[Number(value)])));
    const count = make("span", { class: "small", role: "status", id: "overview-count" });
    const file = make("a", { class: "file", download: "networks_shown.csv", href: "data:text/csv,", id: "overview-file" }, "These rows as CSV");
    file.addEventListener("click", () => {
      const text = kdprobe.csv(kdprobe.overviewRows(store.data, table.order()));
      file.setAttribute("href", `data:text/csv;charset=utf-8,${encodeURIComponent(text)}`);
    });
    const reset = make("button", { type: "button", id: "overview-reset" }, "Show all");
    reset.addEventListener("click", () => {
      for (const select of home.querySelectorAll("select")) select.value = "";
      for (const [field] of kinds) store.filter(field, null);
    });
    home.append(make("div", { class: "choices", role: "group", "aria-label": "Which networks are shown" },
      ...selects, ...(selects.length ? [reset] : []), file, count));
    const tell = () => {
      const [shown, all] = [store.shown().length, store.rows.length];
      count.textContent = shown === all ? `All ${all} networks.` : `${shown} of ${all} networks.`;
    };
    store.listen({ shown: tell });
    tell();
  };
}
