"""What every page must be: silent, narrow, named, reachable by keyboard, legible, printable. Each tells what is not."""

import re
import zlib

from browser import Page

#: Roles of what a reader can use or look at; the browser's accessibility tree must have a name for each.
NAMED = {
    "button", "checkbox", "combobox", "graphics-document", "image", "img", "link", "listbox", "radio", "region",
    "searchbox", "slider", "spinbutton", "switch", "tab", "textbox", "figure", "group", "table", "navigation",
}  # fmt: skip
MAY_BE_BARE = {"group", "figure", "table", "navigation", "graphics-document"}  #: unless they take the focus

_WIDE = """
const most = document.documentElement.clientWidth, found = [];
if (document.documentElement.scrollWidth <= most) return found;
for (const each of document.querySelectorAll("body *")) {
  const box = each.getBoundingClientRect();
  if (box.right > most + 1 && box.width) found.push(`${each.tagName}.${each.getAttribute("class")} to ${box.right}`);
}
return ["the document: " + document.documentElement.scrollWidth, ...found];
"""

# WCAG 2.1, 1.4.3: relative luminance and contrast of every visible text against what lies behind it. The browser writes
# a colour as rgb(), rgba() or color(srgb ...); a canvas would turn any form into bytes, and so it does here.
_CONTRAST = """
const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", {willReadFrequently: true});
canvas.width = canvas.height = 1;
const rgba = (text) => {
  pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
  const v = c[i] / 255; return sum + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
}, 0);
const seen = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), own = walker.currentNode.parentElement;
  if (!text || own.closest("script, style, noscript, title, option, [disabled]")) continue;
  if (!own.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
  const range = document.createRange(); range.selectNodeContents(walker.currentNode);
  const box = range.getBoundingClientRect(); if (box.width < 2 || box.height < 2) continue;
  const style = getComputedStyle(own), layers = []; let opacity = 1;
  for (let each = own; each; each = each.parentElement) {
    const there = getComputedStyle(each);
    opacity *= Number(there.opacity);
    if (!(each instanceof SVGElement) || each.tagName === "svg") layers.push(rgba(there.backgroundColor));
  }
  let behind = rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") &&
    matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff");
  for (const layer of layers.reverse()) behind = over(layer, behind);
  const ink = rgba(own instanceof SVGElement ? style.fill : style.color); ink[3] *= opacity;
  const [a, b] = [light(over(ink, behind)), light(behind)], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) seen.push(text.slice(0, 40) + ": " + ratio.toFixed(2) + " " + own.tagName + "." +
    own.getAttribute("class"));
}
return seen;
"""

_START = "window.kdprobeVisited = new Set(); document.activeElement.blur(); window.scrollTo(0, 0);"
_VISIT = """
const here = document.activeElement, style = getComputedStyle(here), again = window.kdprobeVisited.has(here);
if (here === document.body) return ["", again];
window.kdprobeVisited.add(here);
const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
return [ring ? "" : "no ring: " + here.outerHTML.slice(0, 120), again];
"""
_MISSED = """
const wanted = "a[href], button, input, select, textarea, summary, [tabindex]";
const group = (each) => (each.type === "radio" && each.name) || each;  // a group of radio buttons is one stop
const visited = new Set([...window.kdprobeVisited].map(group));
return [...document.querySelectorAll(wanted)].filter((each) => !each.disabled && each.tabIndex >= 0 &&
  each.checkVisibility({visibilityProperty: true}) && !visited.has(group(each)))
  .map((each) => "not reached: " + each.outerHTML.slice(0, 120));
"""


def too_wide(page: Page) -> list[str]:
    """What makes the document scroll to the side; empty if nothing does."""
    return page.run(_WIDE)


def faint(page: Page) -> list[str]:
    """Visible texts whose contrast is below 4.5 (3 for large ones), with the contrast."""
    return page.run(_CONTRAST)


def nameless(page: Page) -> list[str]:
    """What a screen reader meets and cannot name, by the browser's own accessibility tree."""
    found = []
    for node in page.command("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value", "")
        properties = {p["name"]: p["value"].get("value") for p in node.get("properties", ())}
        usable = properties.get("focusable") and role not in ("RootWebArea", "WebArea")
        if node.get("ignored") or not (usable or (role in NAMED - MAY_BE_BARE)):
            continue
        if not node.get("name", {}).get("value", "").strip():
            described = page.command("DOM.describeNode", backendNodeId=node["backendDOMNodeId"])["node"]
            found.append(f"{role}: {described['nodeName']} {described.get('attributes')}")
    return found


def unreached(page: Page, most: int = 400) -> list[str]:
    """Controls that Tab does not come to, or that do not show that they have the focus."""
    page.run(_START)
    bare = []
    for _ in range(most):
        page.press("Tab", code=9)
        complaint, again = page.run(_VISIT)
        bare += [complaint] if complaint else []
        if again:
            break
    return page.run(_MISSED) + bare


def pdf_pages(pdf: bytes) -> int:
    """How many pages a PDF of Chromium's has."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def pdf_glyphs(pdf: bytes) -> int:
    """How many glyphs its text operators draw (Chromium writes them as <hexadecimal numbers of two bytes>)."""
    count = 0
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue  # a picture that is compressed in another way
        if b"BT" in content and (b" Tj" in content or b" TJ" in content):
            count += sum(len(text) // 4 for text in re.findall(rb"<([0-9A-Fa-f]+)>", content))
    return count
