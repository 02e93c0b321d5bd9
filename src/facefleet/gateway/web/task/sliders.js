// What can be adjusted of a fusion.

import { element } from "../parts/element.js";
import { onLanguage, say } from "../words/words.js";

const SLIDERS = [
  { name: "strength", min: 0, max: 100, initial: 100 },
  { name: "shape", min: 0, max: 100, initial: 50 },
  { name: "age", min: -100, max: 100, initial: 0, experimental: true },
];

export class Sliders {
  constructor(root) {
    this.inputs = new Map(SLIDERS.map((slider) => [slider.name, this.input(slider)]));
    onLanguage(() => root.replaceChildren(...SLIDERS.map((slider) => this.row(slider))));
  }

  /** The options of a request: shares of 1; what changes nothing is not sent. */
  get options() {
    const share = (name) => Number(this.inputs.get(name).value) / 100;
    const age = share("age");
    return { strength: share("strength"), shape: share("shape"), ...(age ? { age } : {}) };
  }

  input({ name, min, max, initial }) {
    const made = element("input", { type: "range", id: `slider-${name}`, "aria-describedby": `${name}-hint` });
    Object.assign(made, { min, max, step: 5, value: initial });
    return made;
  }

  row(slider) {
    const input = this.inputs.get(slider.name);
    const value = element("output", { htmlFor: input.id });
    const show = () => {
      const words = valueWords(slider, Number(input.value));
      value.textContent = words;
      input.setAttribute("aria-valuetext", words);
      const share = (at) => (at - slider.min) / (slider.max - slider.min);
      const ends = [share(input.value), share(0)].sort((a, b) => a - b); // filled from nothing to what is set
      input.style.setProperty("--from", ends[0]);
      input.style.setProperty("--to", ends[1]);
    };
    input.oninput = show;
    input.ondblclick = () => { input.value = slider.initial; show(); };
    show();
    const mark = slider.experimental ? element("small", { className: "tag" }, say("experimental")) : null;
    return element("div", { className: "slider" },
      element("label", { htmlFor: input.id }, say(slider.name), " ", mark), value, input,
      element("small", { id: `${slider.name}-hint` }, say(`${slider.name}Hint`)));
  }
}

function valueWords(slider, value) {
  if (!slider.experimental) return say("percent", { n: value });
  return value ? `${value > 0 ? "+" : "−"}${Math.abs(value)}` : say("ageNone");
}
