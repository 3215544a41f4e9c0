"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});

  // The pictures lie in noscript elements, which a browser with scripts holds as text: their only copy in the page.
  kdprobe.pictures = () => {
    const found = [];
    for (const element of document.querySelectorAll("noscript")) {
      const pattern = /data-file="([a-z0-9_.]+)" src="(data:image\/png;base64,[A-Za-z0-9+\/=]+)"/g;
      for (const [, name, address] of element.textContent.matchAll(pattern)) found.push([name, address]);
    }
    for (const image of document.querySelectorAll("img[data-file]")) found.push([image.dataset.file, image.src]);
    return found;
  };

  const offerPictures = (list) => {
    for (const [name, address] of kdprobe.pictures()) {
      const link = document.createElement("a");
      link.setAttribute("href", address);
      link.setAttribute("download", name);
      link.textContent = name;
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
  };

  // Selected first: where the clipboard is refused, as in a file, the reader has only to press the keys for copying.
  const offerCopy = (block) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${block.getAttribute("aria-label")}`);
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

  const list = document.getElementById("files");
  if (list) offerPictures(list);
  for (const block of document.querySelectorAll("pre.code")) offerCopy(block);
}
