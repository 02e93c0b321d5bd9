// The words of the page in the reader's language; switching it changes every word at once.

import { keep } from "../parts/memory.js";
import { english } from "./english.js";
import { chinese } from "./chinese.js";

const LANGUAGES = { en: english, "zh-CN": chinese };
const listeners = new Set();

/** The tag of the present language. */
export function language() {
  return document.documentElement.lang in LANGUAGES ? document.documentElement.lang : "en";
}

/** Words by name, `{thing}` replaced by what is given. */
export function say(name, things = {}) {
  const words = LANGUAGES[language()].page[name];
  return words.replace(/\{(\w+)\}/g, (_, thing) => things[thing] ?? "");
}

/** What an error code means and what to do, or undefined for one we do not know. */
export function explain(code) {
  return LANGUAGES[language()].errors[code];
}

/** What the engine does in a step; a step we do not know is work like any other. */
export function stepWords(step) {
  const steps = LANGUAGES[language()].steps;
  return steps[step] ?? steps.other;
}

/** A time span as people say it. */
export function duration(seconds) {
  if (seconds < 90) return say("seconds", { n: Math.max(1, Math.round(seconds)) });
  return say("minutes", { n: Math.round(seconds / 60) });
}

/** Call now and after every switch, as long as the element (when given) is in the page. */
export function onLanguage(render, owner = null) {
  const entry = { render, owner };
  listeners.add(entry);
  render();
}

/** Switch. */
export function speak(tag) {
  document.documentElement.lang = tag;
  keep("language", tag);
  translate(document);
  for (const entry of listeners) {
    if (entry.owner && !entry.owner.isConnected) listeners.delete(entry);
    else entry.render();
  }
}

/** Put words into everything that names them (data-t). */
export function translate(root) {
  for (const found of root.querySelectorAll("[data-t]")) found.textContent = say(found.dataset.t);
  document.title = say("documentTitle");
}

/** Make the button switch between the two languages; it shows the other one's own name. */
export function languageButton(button) {
  onLanguage(() => {
    const other = language() === "en" ? "zh-CN" : "en";
    button.textContent = other === "en" ? "English" : "中文";
    button.lang = other;
    button.onclick = () => speak(other);
  });
}
