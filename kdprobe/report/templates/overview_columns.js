"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const NARROW = "(max-width: 640px)"; // there overview.css has the rows' heads say where each row belongs

  /**
   * The columns of names: one that would say the same in all rows shown is hidden, and `home` says it instead. On a
   * narrow page they stand behind the numbers.
   */
  kdprobe.overviewColumns = (table, store, home) => {
    const lines = [table.tHead.rows[0], ...table.tBodies[0].rows].map((line) => [line, [...line.querySelectorAll(".key")]]);
    const columns = lines[0][1].map((head, k) => ({ name: head.dataset.key, text: head.textContent, cells: lines.map(([, own]) => own[k]) }));
    const narrow = matchMedia(NARROW);
    const place = () => {
      for (const [line, own] of lines) {
        if (narrow.matches) line.append(...own);
        else line.cells[0].after(...own);
      }
    };
    const tell = () => {
      const shown = store.shown().map((k) => store.rows[k]);
      const same = columns.filter(({ name, cells }) => {
        const one = shown.length > 0 && shown.every((row) => row[name] === shown[0][name]);
        for (const cell of cells) cell.toggleAttribute("hidden", one);
        return one;
      });
      const said = same.map(({ name, text }) => `${text} ${shown[0][name] ?? "n/a"}`);
      home.textContent = said.length ? `The same in all rows shown: ${said.join(", ")}.` : "";
    };
    narrow.addEventListener("change", place);
    store.listen({ shown: tell });
    place();
    tell();
  };
}
