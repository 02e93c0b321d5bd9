// What becomes of a submission: the upload, the wait, the work, and then the result or the reason why there is none.

import { announce } from "../words/announcer.js";
import { Comparison } from "./comparison.js";
import { confirmed } from "../parts/confirmation.js";
import { element, icon, ICONS } from "../parts/element.js";
import { Problem, show } from "../parts/problem.js";
import { ask } from "./server.js";
import { duration, onLanguage, say, stepWords } from "../words/words.js";

const EXTENSIONS = { "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp" };
const PATIENCE_MS = 15_000; // in the queue, before we say that no worker has come

export class Outcome {
  /**
   * @param {{addressOf: (id: string) => string, onCancel: () => void, onAgain: () => void, onNew: () => void,
   *   onRetry: (problem: Problem) => void, onErased: (id: string) => void}} page
   */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.draw = () => {};
    this.url = "";
    onLanguage(() => this.draw());
  }

  /** Show nothing. */
  hide() {
    this.forget();
    this.draw = () => {};
    this.root.hidden = true;
    this.root.replaceChildren();
  }

  /** The upload: a share of 1. */
  uploading(share) {
    const percent = Math.floor(share * 100);
    this.working(() => (share < 1 ? say("sending", { percent }) : say("sent")), share < 1 ? share : null);
  }

  /** A pause before the next attempt. */
  pausing(problem, seconds) {
    this.working(() => problem.words, null, () => say("retrySoon", { n: Math.round(seconds) }));
  }

  /** A task on its way. */
  task(task) {
    if (task.status === "queued") this.working(() => say("queued"), null, () => queueWords(task), task);
    else this.working(() => stepWords(task.step), task.progress || null, () => "", task);
  }

  /** The upload and the wait may be left. */
  working(title, share, more = () => "", task = null) {
    this.forget();
    const known = this.root.querySelector(".progress");
    this.draw = () => {
      if (!this.root.querySelector(".progress")) this.frame(this.progress());
      this.root.querySelector("h2").textContent = title();
      this.root.querySelector(".more").textContent = more();
      const bar = this.root.querySelector("progress");
      if (share === null) bar.removeAttribute("value");
      else bar.value = share;
      bar.setAttribute("aria-label", title());
      this.root.querySelector(".cancel").textContent = say("cancel");
    };
    this.draw();
    const words = `${title()} ${task ? more() : ""}`.trim();
    if (!known) this.focus();
    else if (words !== this.said && !/\d+ ?%/.test(words)) announce(words);
    this.said = words;
  }

  progress() {
    return element("div", { className: "progress" }, element("h2", { id: "outcome-title", tabIndex: -1 }),
      element("p", { className: "more" }), element("progress", { max: 1 }),
      element("div", { className: "actions" },
        element("button", { type: "button", className: "plain cancel", onclick: () => this.page.onCancel() })));
  }

  /** The reason why there is no result. */
  problem(problem) {
    this.forget();
    this.draw = () => {
      const place = element("div", { className: "problem", role: "alert" });
      const retry = problem.passing ? [this.button("retry", "primary", () => this.page.onRetry(problem))] : [];
      show(place, problem, ...retry, this.button("backToPhotos", "plain", () => this.page.onAgain()));
      this.frame(this.title("failed"), place);
    };
    this.draw();
    this.focus();
  }

  /** A task that was called off, or erased. */
  ended(title, more) {
    this.forget();
    this.draw = () => this.frame(this.title(title), element("p", {}, say(more)),
      element("div", { className: "actions" }, this.button("backToPhotos", "primary", () => this.page.onAgain())));
    this.draw();
    this.focus();
  }

  /**
   * The result.
   * @param {object} task
   * @param {Blob} result
   * @param {string | null} before - Address of the original.
   */
  result(task, result, before) {
    this.forget();
    this.url = URL.createObjectURL(result);
    const comparison = new Comparison(this.url, before);
    const note = element("p", { className: "note" });
    const seconds = (new Date(task.finished_at) - new Date(task.created_at)) / 1000;
    this.draw = () => {
      const title = element("div", { className: "section-title" }, this.title("done"),
        element("p", {}, say("doneIn", { time: duration(seconds) })));
      this.frame(title, comparison.root, this.resultActions(task, result, note), note);
    };
    this.draw();
    this.focus();
    announce(say("done"));
  }

  resultActions(task, result, note) {
    const name = `facefleet-${task.task_id.slice(-8)}${EXTENSIONS[result.type] ?? ""}`;
    return element("div", { className: "actions spread" },
      element("a", { className: "primary", href: this.url, download: name }, icon(ICONS.download), say("download")),
      this.button("copyLink", "plain", () => this.copy(task, note), ICONS.link),
      this.button("again", "plain", () => this.page.onAgain(), ICONS.back),
      this.button("startOver", "plain", () => this.page.onNew(), ICONS.again),
      this.button("erase", "quiet danger-text", () => this.erase(task, note), ICONS.bin));
  }

  async copy(task, note) {
    const link = new URL(this.page.addressOf(task.task_id), location.href).href;
    const done = await navigator.clipboard?.writeText(link).then(() => true, () => false);
    note.textContent = done ? say("copied") : say("copyFailed", { link });
    announce(note.textContent);
  }

  async erase(task, note) {
    if (!(await confirmed({ title: say("eraseTitle"), more: say("eraseMore"), yes: say("eraseYes") }))) return;
    try {
      const receipt = await ask(task.links.self, { method: "DELETE" });
      this.page.onErased(task.task_id);
      this.ended("erase", receipt.status === "erasing" ? "erasing" : "erased");
    } catch (problem) {
      note.textContent = problem.words;
      announce(problem.words);
    }
  }

  title(word) {
    return element("h2", { id: "outcome-title", tabIndex: -1 }, say(word));
  }

  button(word, className, act, path = null) {
    return element("button", { type: "button", className, onclick: act }, path && icon(path), say(word));
  }

  frame(...children) {
    this.root.hidden = false;
    this.root.replaceChildren(...children);
  }

  focus() {
    this.root.querySelector("h2").focus({ preventScroll: true });
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.root.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }

  forget() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
  }
}

function queueWords(task) {
  if (task.error) return say("retrying");
  const place = task.position > 0 ? say("ahead", { n: task.position }) : task.position === 0 ? say("nextInLine") : "";
  const seconds = (new Date(task.estimated_start) - Date.now()) / 1000;
  if (task.estimated_start && seconds > 1) return `${place} ${say("startsIn", { time: duration(seconds) })}`.trim();
  if (Date.now() - new Date(task.created_at) > PATIENCE_MS) return `${place} ${say("stillWaiting")}`.trim();
  return place;
}
