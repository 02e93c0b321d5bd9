// Where a photo goes in: dropped, pasted, chosen or taken; its faces are shown and picked on it.

import { announce } from "../words/announcer.js";
import { takePhoto } from "./camera.js";
import { element, icon, ICONS } from "../parts/element.js";
import { faceButtons, findFaces, firstUsable, reasonOf, usable } from "./faces.js";
import { Problem, show } from "../parts/problem.js";
import { onLanguage, say } from "../words/words.js";

const TYPES = "image/jpeg,image/png,image/webp,image/avif"; // phones turn their own formats into one of these
const EMPTY = { file: null, template: null, url: "", name: "", found: null, looking: false, picked: null, problem: null };

export class Well {
  /**
   * @param {HTMLElement} root
   * @param {"source" | "target"} part
   * @param {() => void} onChange - The photo or the picked face is another.
   */
  constructor(root, part, onChange) {
    this.root = root;
    this.part = part;
    this.onChange = onChange;
    this.state = EMPTY;
    this.search = new AbortController();
    this.input = element("input", { type: "file", accept: TYPES, className: "sr", tabIndex: -1, "aria-hidden": "true" });
    this.input.onchange = () => this.input.files[0] && this.take(this.input.files[0]);
    this.problem = element("div", { className: "problem", role: "alert", hidden: true });
    this.listen();
    onLanguage(() => this.render());
  }

  /** Whether there is a photo that may be sent. */
  get ready() {
    return Boolean((this.state.file || this.state.template) && !this.state.problem);
  }

  /** The picked face of a photo with several; undefined leaves it to the server. */
  get face() {
    return this.state.picked ?? undefined;
  }

  /** Use a file. */
  async take(file) {
    this.clear();
    const url = URL.createObjectURL(file);
    this.change({ ...EMPTY, file, url, name: file.name, looking: true });
    const search = this.search;
    if (!(await opens(url))) {
      if (!search.signal.aborted) this.change({ ...EMPTY, problem: new Problem("unreadable_here") });
      return;
    }
    await this.look(file, search.signal);
  }

  /** Use a template: its faces are known. */
  useTemplate(template, url) {
    this.clear();
    const image = { width: template.width, height: template.height };
    const found = template.faces ? { image, faces: template.faces } : null;
    this.change({ ...EMPTY, template, url, name: template.name ?? "", ...this.firstPick(found) });
  }

  /** Empty it. */
  clear() {
    this.search.abort();
    this.search = new AbortController();
    if (this.state.file) URL.revokeObjectURL(this.state.url);
    this.input.value = "";
    this.change(EMPTY);
  }

  /** Put the focus where the next step is. */
  focus() {
    this.root.querySelector("button")?.focus();
  }

  async look(file, signal) {
    try {
      const found = await findFaces(file, signal);
      if (!signal.aborted) this.change({ looking: false, ...this.firstPick(found) });
    } catch (problem) {
      if (problem.name !== "AbortError") this.change({ looking: false, problem });
    }
    if (!signal.aborted) announce(this.state.problem?.words ?? this.caption());
  }

  firstPick(found) {
    const picked = found && found.faces.length > 1 ? firstUsable(found.faces, this.part) : null;
    return { found, picked };
  }

  change(part) {
    this.state = { ...this.state, ...part };
    this.render();
    this.onChange();
  }

  pick(index) {
    const focused = document.activeElement?.dataset.key;
    this.change({ picked: index });
    this.root.querySelector(`[data-key="${focused}"]`)?.focus();
    announce(index === "all" ? say("allFaces") : say("face", { n: index + 1 }));
  }

  listen() {
    const over = (event) => { event.preventDefault(); this.root.classList.add("over"); };
    this.root.addEventListener("dragover", over);
    this.root.addEventListener("dragleave", (event) => {
      if (!this.root.contains(event.relatedTarget)) this.root.classList.remove("over");
    });
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      this.root.classList.remove("over");
      const file = photoOf(event.dataTransfer);
      if (file) this.take(file);
    });
  }

  async film() {
    const photo = await takePhoto();
    if (photo) await this.take(photo);
  }

  render() {
    const title = element("div", { className: "well-title" },
      element("h2", { id: `${this.part}-title` }, say(this.part)), element("p", {}, say(`${this.part}Hint`)));
    const shown = this.state.url ? this.filled() : [this.empty()];
    show(this.problem, this.state.problem);
    this.root.classList.toggle("filled", Boolean(this.state.url));
    this.root.replaceChildren(title, this.input, ...shown, this.problem);
  }

  empty() {
    return element("div", { className: "empty" }, icon(ICONS.photo),
      element("p", { className: "drop-hint" }, say("drop")),
      element("div", { className: "actions" },
        element("button", { type: "button", className: "plain", onclick: () => this.input.click() }, say("choose")),
        element("button", { type: "button", className: "plain", onclick: () => this.film() },
          icon(ICONS.camera), say("camera"))),
      element("small", {}, say("types")));
  }

  filled() {
    const { url, name, found, picked, looking } = this.state;
    const image = element("img", { src: url, alt: say("photoOf", { name }), decoding: "async" });
    const buttons = found ? faceButtons(found.image, found.faces, this.part, this.shownPick(), (i) => this.pick(i)) : [];
    buttons.forEach((button, i) => { button.dataset.key = `face-${i}`; });
    const frame = element("div", { className: looking ? "frame looking" : "frame" }, image,
      element("div", { className: "faces", role: "group", "aria-label": this.caption() }, ...buttons));
    return [frame, element("div", { className: "well-foot" }, element("p", {}, this.caption()),
      element("div", { className: "actions" }, this.allButton(picked),
        element("button", { type: "button", className: "quiet", onclick: () => this.input.click() }, say("replacePhoto")),
        element("button", { type: "button", className: "quiet", onclick: () => { this.clear(); this.focus(); } },
          say("removePhoto"))))];
  }

  /** A single face needs no picking, and is marked as what it is. */
  shownPick() {
    return this.state.picked ?? firstUsable(this.state.found.faces, this.part);
  }

  allButton(picked) {
    const fit = this.state.found?.faces.filter((face) => usable(face, this.part)) ?? [];
    if (this.part !== "target" || fit.length < 2) return null;
    const toggle = () => this.pick(picked === "all" ? firstUsable(fit, this.part) : "all");
    return element("button", { type: "button", className: "chip", "aria-pressed": String(picked === "all"),
      "data-key": "all", onclick: toggle }, say("allFaces"));
  }

  caption() {
    const { looking, found } = this.state;
    if (looking) return say("looking");
    if (!found) return say("facesUnknown");
    if (!found.faces.length) return say("noFace");
    if (firstUsable(found.faces, this.part) === null) return say("noneUsable", { why: reasonOf(found.faces[0]) });
    if (found.faces.length === 1) return say("oneFace");
    return say(this.part === "target" ? "manyTargets" : "manyFaces", { n: found.faces.length });
  }
}

/** The photo among what was dropped or pasted. */
export function photoOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}

/** Whether the browser can show it. */
function opens(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => true, () => false);
}
