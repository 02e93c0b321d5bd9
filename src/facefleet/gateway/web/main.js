// Puts the page together: photos and settings in, one submission at a time, its outcome, and what was made before.

import { announce } from "./words/announcer.js";
import { enter } from "./session/entrance.js";
import { Gallery } from "./input/gallery.js";
import { may } from "./session/session.js";
import { notice } from "./parts/notice.js";
import { Outcome } from "./task/outcome.js";
import { Problem, show } from "./parts/problem.js";
import { Recent } from "./task/recent.js";
import { picture } from "./task/picture.js";
import { ask } from "./task/server.js";
import { Sliders } from "./task/sliders.js";
import { Submission } from "./task/submission.js";
import { follow, hasEnded } from "./task/task.js";
import { themeButton } from "./theme.js";
import { photoOf, Well } from "./input/well.js";
import { languageButton, onLanguage, say, translate } from "./words/words.js";

const place = (id) => document.getElementById(id);
const addressOf = (id) => `#task=${id}`;
const addressed = () => /^#task=([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;

class Page {
  constructor() {
    this.submission = null;
    this.shown = null; // id of the task whose outcome is shown
    this.following = new AbortController();
    this.sliders = new Sliders(place("sliders"));
    this.source = new Well(place("source"), "source", () => this.changed());
    this.target = new Well(place("target"), "target", () => this.changed());
    this.recent = new Recent(place("recent"), addressOf);
    this.outcome = new Outcome(place("outcome"), {
      addressOf, onCancel: () => this.cancel(), onAgain: () => this.compose(), onNew: () => this.startOver(),
      onRetry: (problem) => this.retry(problem), onErased: (id) => this.erased(id),
    });
    this.gallery = new Gallery(place("gallery"), {
      onUse: (template, url) => this.target.useTemplate(template, url),
      photo: () => (this.target.ready ? this.target.state.file : null),
      consents: () => this.consents(),
    });
  }

  async start() {
    translate(document);
    languageButton(place("language"));
    themeButton(place("theme"));
    this.watch();
    await enter(place("sign-in"), place("who"));
    this.listen();
    onLanguage(() => { place("may-look").textContent = say(may("tasks.read") ? "mayLook" : "mayNothing"); });
    this.recent.render();
    this.arrange(false);
    this.gallery.load();
    this.follow(addressed());
    document.documentElement.classList.remove("pending");
  }

  /** What does not depend on who is here. */
  watch() {
    for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
    onLanguage(() => notice(navigator.onLine ? null : say("offline")));
    addEventListener("offline", () => notice(say("offline")));
    addEventListener("online", () => { notice(null); announce(say("online")); });
  }

  listen() {
    place("compose").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    place("consent").addEventListener("change", () => this.consentError(false));
    addEventListener("hashchange", () => this.follow(addressed()));
    addEventListener("paste", (event) => this.paste(event));
  }

  /** A pasted photo goes where the focus is, else where one is missing. */
  paste(event) {
    const photo = photoOf(event.clipboardData);
    if (!photo) return;
    const focused = [this.source, this.target].find((well) => well.root.contains(document.activeElement));
    (focused ?? (this.source.state.url ? this.target : this.source)).take(photo);
  }

  changed() {
    if (this.gallery) this.gallery.render();
    show(place("compose-problem"), null);
  }

  consentError(shown) {
    const error = place("consent-error");
    error.hidden = !shown;
    error.textContent = shown ? say("consentMissing") : "";
    place("consent").setAttribute("aria-invalid", String(shown));
  }

  consents() {
    const given = place("consent").checked;
    this.consentError(!given);
    if (!given) place("consent").focus();
    return given;
  }

  /** What is missing is said, and the focus goes there. */
  complete() {
    for (const [well, word] of [[this.source, "sourceMissing"], [this.target, "targetMissing"]]) {
      if (well.ready) continue;
      if (!well.state.problem) show(place("compose-problem"), new Problem("missing", { message: say(word) }));
      well.focus();
      return false;
    }
    return this.consents();
  }

  order() {
    const { file, template } = this.target.state;
    const options = { ...this.sliders.options, source_face: this.source.face, target_face: this.target.face };
    return { source: this.source.state.file, target: file, templateId: template?.template_id ?? null, options };
  }

  async submit() {
    if (!this.complete()) return;
    show(place("compose-problem"), null);
    const order = this.order();
    // Unchanged and without a task: it may have arrived, so it is asked for under the same key.
    if (!this.submission || this.submission.task || !this.submission.matches(order)) this.submission = new Submission(order);
    await this.run(this.submission);
  }

  async run(submission) {
    const { outcome } = this;
    this.following = new AbortController();
    this.arrange(true);
    try {
      const task = await submission.run({
        onUpload: (share) => outcome.uploading(share),
        onWait: (problem, seconds) => outcome.pausing(problem, seconds),
        onTask: (task) => this.progressed(task),
        onTrouble: (problem) => problem && outcome.pausing(problem, 1),
      });
      await this.finish(task);
    } catch (problem) {
      this.failed(problem);
    }
  }

  /** From now on the address of the page is that of the task: a reload goes on with it. */
  progressed(task) {
    if (this.shown !== task.task_id) {
      this.shown = task.task_id;
      history.pushState(null, "", addressOf(task.task_id));
    }
    if (!hasEnded(task)) this.outcome.task(task);
  }

  /** Show the task that the address names, whoever began it. */
  async follow(id) {
    if (id === this.shown) return;
    this.following.abort();
    this.submission?.control.abort();
    this.shown = id;
    if (!id) {
      this.compose();
      return;
    }
    this.following = new AbortController();
    const { signal } = this.following;
    this.arrange(true);
    try {
      const begun = { links: { self: `/v1/tasks/${id}` } };
      const first = await ask(begun.links.self, { signal });
      const onTrouble = (problem) => problem && this.outcome.pausing(problem, 1);
      const task = hasEnded(first) ? first : await follow(begun, { onChange: (t) => this.progressed(t), onTrouble, signal });
      await this.finish(task);
    } catch (problem) {
      if (["task_not_found", "result_unavailable"].includes(problem.code)) this.recent.remove(id);
      this.failed(problem);
    }
  }

  async finish(task) {
    if (task.status === "canceled") this.outcome.ended("canceled", "canceledMore");
    if (task.status === "failed") throw Problem.ofTask(task);
    if (task.status !== "succeeded") return;
    const result = await picture(task.links.result, this.following.signal);
    this.outcome.result(task, result, this.beforeOf(task));
    await this.recent.add(task.task_id, result);
  }

  /** Address of the original, while the page still has it. */
  beforeOf(task) {
    if (this.submission?.task?.task_id !== task.task_id) return null;
    const { target, templateId } = this.submission.order;
    const { file, template, url } = this.target.state;
    return target === file && templateId === (template?.template_id ?? null) ? url : null;
  }

  failed(problem) {
    if (problem.name === "AbortError") return;
    if (!(problem instanceof Problem)) throw problem;
    this.outcome.problem(problem);
  }

  async cancel() {
    const path = this.shown ? `/v1/tasks/${this.shown}/cancel` : null;
    this.following.abort();
    this.submission?.control.abort();
    try {
      if (path) await ask(path, { method: "POST" });
      this.outcome.ended("canceled", "canceledMore");
    } catch (problem) {
      if (problem.code === "task_ended") this.reopen();
      else this.failed(problem);
    }
  }

  /** It ended before the cancel came: show how. */
  reopen() {
    const id = this.shown;
    this.shown = null;
    this.follow(id);
  }

  /** Once more: the same submission while it has no task, the outcome of a task that is there, else a new one. */
  retry(problem) {
    if ((problem.retryable || problem.status === 401) && this.shown) {
      this.reopen();
      return;
    }
    this.compose();
    if (this.submission) this.submit();
  }

  erased(id) {
    this.recent.remove(id);
    this.submission = null;
  }

  /** Back to the photos, as they were left. */
  compose() {
    this.following.abort();
    this.shown = null;
    if (addressed()) history.pushState(null, "", location.pathname);
    this.outcome.hide();
    this.arrange(false);
    if (document.activeElement === document.body) place("main").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }

  startOver() {
    this.source.clear();
    this.target.clear();
    place("consent").checked = false; // other photos show other people
    this.compose();
    this.source.focus();
  }

  arrange(busy) {
    document.body.classList.toggle("busy", busy);
    place("compose").hidden = busy || !may("tasks.create");
    place("may-look").hidden = busy || may("tasks.create");
  }
}

new Page().start();
