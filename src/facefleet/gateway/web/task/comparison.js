// Before and after of one picture: a divider to slide, zoom and pan; by pointer, wheel and keys.

import { element, icon, ICONS } from "../parts/element.js";
import { onLanguage, say } from "../words/words.js";

const LARGEST = 8; // times the fitted size
const STEP = 1.5; // of one press on zoom
const STRIDE = 0.05; // of one press on an arrow

export class Comparison {
  /**
   * @param {string} after - Address of the result.
   * @param {string | null} before - Of the original, where the page still has it.
   */
  constructor(after, before) {
    this.share = before ? 0.5 : 0;
    this.scale = 1;
    this.x = this.y = 0;
    this.pointers = new Map();
    this.planes = [];
    this.view = element("div", { className: "view", tabIndex: 0, role: "group" });
    this.layer(after, "after");
    this.handle = before ? this.divider(before) : null;
    this.tools = element("div", { className: "tools" });
    this.root = element("div", { className: "comparison" }, this.view, this.tools);
    this.listen();
    onLanguage(() => this.name(), this.root);
    this.paint();
  }

  layer(url, kind) {
    const image = element("img", { src: url, draggable: false });
    const plane = element("div", { className: "plane" }, image);
    const layer = element("div", { className: `layer ${kind}` }, plane);
    this.planes.push(plane);
    this.view.append(layer);
    if (kind === "after") {
      image.onload = () => {
        this.view.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
        this.root.classList.add("loaded");
      };
    }
    return layer;
  }

  divider(before) {
    this.before = this.layer(before, "before");
    const handle = element("div", { className: "divider", role: "slider", tabIndex: 0,
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal" }, element("span", { "aria-hidden": "true" }));
    this.labels = ["before", "after"].map((kind) => element("span", { className: `label ${kind}`, "aria-hidden": "true" }));
    this.view.append(...this.labels, handle);
    handle.addEventListener("keydown", (event) => this.slideByKey(event));
    return handle;
  }

  name() {
    const [after, before] = this.view.querySelectorAll("img");
    after.alt = say("after");
    this.view.setAttribute("aria-label", this.handle ? say("compare") : say("after"));
    if (this.handle) {
      before.alt = say("before");
      this.handle.setAttribute("aria-label", say("compare"));
      this.labels.forEach((label, i) => { label.textContent = say(i ? "after" : "before"); });
    }
    const button = (word, path, act) => element("button",
      { type: "button", className: "quiet", "aria-label": say(word), title: say(word), onclick: act }, icon(path));
    this.tools.replaceChildren(element("p", {}, say(this.handle ? "compareHint" : "lookHint")),
      button("zoomOut", ICONS.minus, () => this.zoom(1 / STEP)),
      button("zoomIn", ICONS.plus, () => this.zoom(STEP)), button("zoomFit", ICONS.fit, () => this.fit()));
    this.paint();
  }

  slideByKey(event) {
    const moves = { ArrowLeft: -STRIDE, ArrowDown: -STRIDE, ArrowRight: STRIDE, ArrowUp: STRIDE, PageDown: -0.2, PageUp: 0.2,
      Home: -1, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    this.slide(this.share + moves[event.key]);
  }

  moveByKey(event) {
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const pan = pans[event.key];
    if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.fit();
    else if (pan && this.scale > 1) this.pan(40 * pan[0], 40 * pan[1]);
    else return;
    event.preventDefault();
  }

  listen() {
    const view = this.view;
    view.addEventListener("keydown", (event) => this.moveByKey(event));
    view.addEventListener("wheel", (event) => {
      if (event.deltaY > 0 && this.scale === 1) return; // the page scrolls on
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), this.at(event));
    }, { passive: false });
    view.addEventListener("dblclick", (event) => (this.scale > 1 ? this.fit() : this.zoom(3, this.at(event))));
    view.addEventListener("pointerdown", (event) => this.down(event));
    view.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
  }

  down(event) {
    this.view.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    const onDivider = this.handle?.contains(event.target);
    this.sliding = Boolean(this.handle) && this.pointers.size === 1 && (onDivider || this.scale === 1);
    if (this.sliding && !onDivider) this.slideTo(event);
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const now = this.at(event);
    if (this.pointers.size === 2) this.pinch(event.pointerId, last, now);
    else if (this.sliding) this.slideTo(event);
    else this.pan(now.x - last.x, now.y - last.y);
    this.pointers.set(event.pointerId, now);
  }

  pinch(id, last, now) {
    this.sliding = false;
    const [, other] = [...this.pointers].find(([key]) => key !== id);
    const span = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    this.zoom(span(now) / span(last), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }

  at(event) {
    const box = this.view.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  slideTo(event) {
    this.slide(this.at(event).x / this.view.clientWidth);
  }

  slide(share) {
    this.share = Math.min(1, Math.max(0, share));
    this.paint();
  }

  zoom(times, about = { x: this.view.clientWidth / 2, y: this.view.clientHeight / 2 }) {
    const scale = Math.min(LARGEST, Math.max(1, this.scale * times));
    this.x = about.x - ((about.x - this.x) * scale) / this.scale;
    this.y = about.y - ((about.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.pan(0, 0);
  }

  pan(dx, dy) {
    const least = (size) => size * (1 - this.scale);
    this.x = Math.min(0, Math.max(least(this.view.clientWidth), this.x + dx));
    this.y = Math.min(0, Math.max(least(this.view.clientHeight), this.y + dy));
    this.paint();
  }

  fit() {
    this.scale = 1;
    this.x = this.y = 0;
    this.paint();
  }

  paint() {
    for (const plane of this.planes) plane.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.view.classList.toggle("zoomed", this.scale > 1);
    if (!this.handle) return;
    const percent = Math.round(this.share * 100);
    this.before.style.clipPath = `inset(0 ${100 - this.share * 100}% 0 0)`;
    this.handle.style.left = `${this.share * 100}%`;
    this.handle.setAttribute("aria-valuenow", String(percent));
    this.handle.setAttribute("aria-valuetext", say("compareValue", { n: 100 - percent }));
  }
}
