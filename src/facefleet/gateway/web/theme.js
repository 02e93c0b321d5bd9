// Light, dark, or as the system has it.

import { element, icon, ICONS } from "./parts/element.js";
import { keep } from "./parts/memory.js";
import { say, onLanguage } from "./words/words.js";

const ORDER = ["auto", "light", "dark"];
const LOOKS = { auto: ICONS.auto, light: ICONS.sun, dark: ICONS.moon };

/** Make the button go through the three. */
export function themeButton(button) {
  const root = document.documentElement;
  const current = () => root.dataset.theme ?? "auto";
  const show = () => {
    button.replaceChildren(icon(LOOKS[current()]), element("span", { className: "sr" }, say(`theme_${current()}`)));
    button.title = say(`theme_${current()}`);
  };
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    keep("theme", next === "auto" ? null : next);
    show();
  });
  onLanguage(show);
}
