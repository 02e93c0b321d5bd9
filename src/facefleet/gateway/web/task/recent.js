// Recent results, kept in this browser alone: an id and a small picture of each, gone when it is erased.

import { announce } from "../words/announcer.js";
import { element } from "../parts/element.js";
import { keep, onOtherTab, recall } from "../parts/memory.js";
import { language, onLanguage, say } from "../words/words.js";

const NAME = "recent";
const MOST = 12;
const SIDE_PX = 192;

export class Recent {
  /** @param {(id: string) => string} addressOf - Of a result, in this page. */
  constructor(root, addressOf) {
    this.root = root;
    this.addressOf = addressOf;
    onLanguage(() => this.render());
    onOtherTab(NAME, () => this.render());
  }

  /** Keep a result; the newest comes first. */
  async add(id, picture) {
    const others = this.list().filter((one) => one.id !== id);
    this.keep([{ id, at: Date.now(), thumb: await thumbnail(picture) }, ...others].slice(0, MOST));
  }

  /** Forget a result. */
  remove(id) {
    this.keep(this.list().filter((one) => one.id !== id));
  }

  list() {
    try {
      const found = JSON.parse(recall(NAME) ?? "[]");
      return Array.isArray(found) ? found.filter((one) => typeof one?.id === "string") : [];
    } catch {
      return [];
    }
  }

  keep(list) {
    let kept = list;
    while (!keep(NAME, kept.length ? JSON.stringify(kept) : null) && kept.length) kept = kept.slice(0, -1);
    this.render();
  }

  render() {
    const list = this.list();
    this.root.hidden = !list.length;
    const clear = () => { this.keep([]); announce(say("cleared")); document.getElementById("main").focus(); };
    this.root.replaceChildren(
      element("div", { className: "section-title" }, element("h2", { id: "recent-title" }, say("recent")),
        element("p", {}, say("recentMore")),
        element("button", { type: "button", className: "quiet", onclick: clear }, say("clearRecent"))),
      element("ul", { className: "strip" }, ...list.map((one) => this.item(one))));
  }

  item({ id, at, thumb }) {
    const time = new Date(at).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
    const image = element("img", { src: thumb, alt: say("openRecent", { time }), width: 96, height: 96, loading: "lazy" });
    return element("li", {}, element("a", { href: this.addressOf(id), title: time }, image));
  }
}

/** A square of the middle, as a data address. */
async function thumbnail(picture) {
  const image = await createImageBitmap(picture);
  const side = Math.min(image.width, image.height);
  const canvas = element("canvas", { width: SIDE_PX, height: SIDE_PX });
  const left = (image.width - side) / 2, top = (image.height - side) / 3; // faces are above the middle
  canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, SIDE_PX, SIDE_PX);
  image.close();
  return canvas.toDataURL("image/jpeg", 0.8);
}
