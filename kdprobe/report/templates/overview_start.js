"use strict";
{
  const { kdprobe } = globalThis;
  const element = document.getElementById("kdprobe-overview");
  const home = (part) => document.getElementById(`overview-${part}`);
  if (element) {
    const store = kdprobe.overviewStore(JSON.parse(element.textContent));
    kdprobe.overviewColumns(home("table"), store, home("same"));
    const table = kdprobe.overviewTable(home("table"), store);
    kdprobe.overviewFilters(home("filters"), store, table);
    kdprobe.overviewScatter(home("scatter"), store);
    if (home("multiples")) kdprobe.overviewMultiples(home("multiples"), store);
  }
}
