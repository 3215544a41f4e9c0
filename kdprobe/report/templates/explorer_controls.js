"use strict";
{
  const kdprobe = (globalThis.kdprobe ??= {});
  const PLAY = 700; // milliseconds an epoch stays while playing

  const option = (value, text) => kdprobe.make("option", { value }, text);

  const chooser = (id, title, options, choose) => {
    const { make } = kdprobe;
    const select = make("select", { id }, ...options);
    select.addEventListener("change", () => choose(select.value));
    return make("label", { class: "choice", for: id }, make("span", {}, title), select);
  };

  const button = (id, text, press, more = {}) => {
    const made = kdprobe.make("button", { type: "button", id, ...more }, text);
    made.addEventListener("click", press);
    return made;
  };

  const thumbnails = ({ state, change }) => {
    const { make } = kdprobe;
    const strip = make("div", { class: "thumbnails", role: "group", "aria-label": "Images; arrow keys go on" });
    let listed = null;
    const each = (n) => {
      const { id, label, picture } = state.data.images[n];
      const image = make("img", { src: picture, alt: "", width: 48, height: 48 });
      const named = { title: id, "aria-label": `image ${id}, class ${state.data.classes[label]}` };
      const made = make("button", { type: "button", "data-image": n, ...named }, image);
      made.addEventListener("click", () => change({ n }));
      return made;
    };
    const update = () => {
      if (listed !== state.images) strip.replaceChildren(...state.images.map(each));
      listed = state.images;
      for (const made of strip.children) {
        const chosen = Number(made.dataset.image) === state.n;
        if (made.getAttribute("aria-pressed") === String(chosen)) continue;
        made.setAttribute("aria-pressed", String(chosen));
        made.tabIndex = chosen ? 0 : -1;
        if (!chosen) continue;
        const [box, frame] = [made.getBoundingClientRect(), strip.getBoundingClientRect()];
        if (box.left >= frame.left && box.right <= frame.right) continue;
        strip.scrollLeft += box.left - frame.left - frame.width / 2;
      }
    };
    return { strip, update };
  };

  const player = ({ state, change }) => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      show();
    };
    const on = () => {
      if (state.step + 1 < state.epochs.length) change({ step: state.step + 1 });
      if (state.step + 1 >= state.epochs.length) stop();
    };
    const start = () => {
      if (state.step + 1 >= state.epochs.length) change({ step: 0 });
      else if (still) change({ step: state.step + 1 });
      if (!still) timer = setInterval(on, PLAY);
      show();
    };
    // Who wants no motion gets one epoch a press.
    const made = button("explorer-play", "", () => (timer === null ? start() : stop()));
    const show = () => {
      const word = still ? "Step" : timer === null ? "Play" : "Pause";
      made.replaceChildren(timer === null ? "▶" : "❚❚", kdprobe.make("span", { class: "word" }, ` ${word}`));
      made.setAttribute("aria-label", still ? "Next epoch" : timer === null ? "Play through the epochs" : "Pause");
    };
    show();
    return { made, stop };
  };

  const sliders = (store) => {
    const { make } = kdprobe;
    const { state, change } = store;
    const { margin } = state.data.settings;
    const play = player(store);
    const epoch = make("input", { type: "range", id: "explorer-epoch", min: 0, step: 1 });
    const epochShown = make("output", { for: "explorer-epoch", id: "explorer-epoch-shown" });
    const marks = make("datalist", { id: "explorer-margins" }, option(margin, ""));
    const range = { min: 0.01, step: 0.01, list: "explorer-margins" };
    const slide = make("input", { type: "range", id: "explorer-margin", ...range });
    const typed = { min: 0, step: "any", inputmode: "decimal", "aria-label": "Margin b in nats" };
    const number = make("input", { type: "number", id: "explorer-margin-number", ...typed });
    const own = make("span", { id: "explorer-own", class: "own" });
    const told = { "aria-label": `Reset the margin to ${margin} nats` };
    const reset = button("explorer-reset", "Reset", () => change({ b: margin }), told);
    epoch.addEventListener("input", () => {
      play.stop();
      change({ step: Number(epoch.value) });
    });
    slide.addEventListener("input", () => change({ b: Number(slide.value) }));
    number.addEventListener("input", () => {
      if (number.value !== "" && Number(number.value) > 0) change({ b: Number(number.value) });
    });
    number.addEventListener("change", () => update());
    const update = () => {
      epoch.max = state.epochs.length - 1;
      epoch.value = state.step;
      epochShown.textContent = `${state.epoch} of ${state.epochs.at(-1)}`;
      epoch.setAttribute("aria-valuetext", `epoch ${epochShown.textContent}`);
      slide.max = Math.max(state.most, state.b);
      slide.value = state.b;
      // Not over what is being typed: "0." would become "0".
      if (Number(number.value) !== state.b || document.activeElement !== number) number.value = state.b;
      const same = state.b === margin;
      slide.setAttribute("aria-valuetext", `${state.b} nats${same ? ", the margin of the experiment" : ""}`);
      own.textContent = same ? "at the margin of the experiment" : `the experiment's margin is ${margin}`;
      own.classList.toggle("same", same);
      reset.disabled = same;
    };
    const element = make("div", { class: "sliders" },
      make("div", { class: "slider" },
        make("label", { for: "explorer-epoch" }, "Epoch ", epochShown), epoch, play.made),
      make("div", { class: "slider" },
        make("label", { for: "explorer-margin" }, make("span", { class: "word" }, "Margin "), make("i", {}, "b")),
        make("span", {}, number, " nats"), slide, marks, reset, own));
    return { element, update };
  };

  /** The controls of the explorer: {element, sliders}. */
  kdprobe.controls = (store) => {
    const { make } = kdprobe;
    const { state, change } = store;
    const { data } = state;
    const choices = make("div", { class: "choices" });
    const layers = data.layers.map((layer, place) => option(place, layer.layer));
    if (layers.length > 1) {
      choices.append(chooser("explorer-layer", "Layer", layers, (value) => change({ place: Number(value) })));
    }
    const labels = [...new Set(data.images.map((image) => image.label))].sort((a, b) => a - b);
    const count = (label) => data.images.filter((image) => image.label === label).length;
    const options = [option("", `all classes (${data.images.length})`),
      ...labels.map((label) => option(label, `${data.classes[label]} (${count(label)})`))];
    if (labels.length > 1) {
      const choose = (value) => change({ label: value === "" ? null : Number(value) });
      choices.append(chooser("explorer-class", "Class", options, choose));
    }
    const key = (letter) => ({ title: `In the explorer: key ${letter}`, "aria-keyshortcuts": letter });
    const step = (by) => {
      const { images, n } = state;
      change({ n: images[(images.indexOf(n) + by + images.length) % images.length] });
    };
    const outline = make("input", { type: "checkbox", id: "explorer-outline", checked: "" });
    outline.addEventListener("change", () => change({ outline: outline.checked }));
    choices.append(
      make("span", { class: "steps" },
        button("explorer-previous", "‹ Previous", () => step(-1), { "aria-label": "Previous image", ...key("p") }),
        button("explorer-next", "Next ›", () => step(1), { "aria-label": "Next image", ...key("n") })),
      make("label", { class: "choice check", for: "explorer-outline" },
        outline, make("span", {}, "Outline of the foreground")));
    const shelf = thumbnails(store);
    shelf.strip.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      step(by);
      shelf.strip.querySelector('[aria-pressed="true"]').focus();
    });
    const moved = sliders(store);
    store.onNumbers(() => {
      shelf.update();
      moved.update();
    });
    return { element: make("div", {}, choices, shelf.strip), sliders: moved.element };
  };
}
