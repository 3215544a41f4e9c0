"use strict";
{
  const { make } = globalThis.kdprobe;

  // The pictures lie in noscript elements, which a browser with scripts holds as text: their only copy in the page.
  const pictures = () => {
    const found = [];
    for (const element of document.querySelectorAll("noscript")) {
      const pattern = /data-file="([a-z0-9_.]+)" src="(data:image\/png;base64,[A-Za-z0-9+\/=]+)"/g;
      for (const [, name, address] of element.textContent.matchAll(pattern)) found.push([name, address]);
    }
    for (const image of document.querySelectorAll("img[data-file]")) found.push([image.dataset.file, image.src]);
    return found;
  };

  // Selected first: where the clipboard is refused, as in a file, the reader has only to press the keys for copying.
  const offerCopy = (block) => {
    const label = `Copy: ${block.getAttribute("aria-label")}`;
    const button = make("button", { type: "button", class: "copy", "aria-label": label }, "Copy");
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(block);
      try {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected: press Ctrl+C";
      }
    });
    block.after(button);
  };

  for (const [name, address] of pictures()) {
    document.getElementById("files").append(make("li", {}, make("a", { href: address, download: name }, name)));
  }
  for (const block of document.querySelectorAll("pre.code")) offerCopy(block);
}
