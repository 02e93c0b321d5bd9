// Templates: pictures kept on the server, ready to be used as the target.

import { announce } from "../words/announcer.js";
import { confirmed } from "../parts/confirmation.js";
import { element, icon, ICONS } from "../parts/element.js";
import { Problem, show } from "../parts/problem.js";
import { picture } from "../task/picture.js";
import { ask, rest, submit } from "../task/server.js";
import { onLanguage, say } from "../words/words.js";

const LOOK_SECONDS = 1; // while one is being prepared

export class Gallery {
  /**
   * @param {{onUse: (template: object, url: string) => void, photo: () => File | null, consents: () => boolean}} page -
   *   `photo` is the target that may be kept as a template.
   */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.offered = false;
    this.templates = [];
    this.cursor = null;
    this.pictures = new Map();
    this.problem = element("div", { className: "problem", role: "alert", hidden: true });
    onLanguage(() => this.render());
  }

  /** Ask the server for what it has; a gateway without templates shows none. */
  async load() {
    try {
      await this.more();
      this.offered = true;
    } catch (problem) {
      this.offered = problem.status !== 404 && problem.status !== 405;
      if (this.offered) show(this.problem, problem, this.button("retry", () => this.load()));
    }
    this.render();
  }

  async more() {
    const query = this.cursor ? `?cursor=${encodeURIComponent(this.cursor)}` : "";
    const page = await ask(`/v1/templates${query}`);
    show(this.problem, null);
    this.templates.push(...page.templates.filter((one) => !this.templates.some((t) => t.template_id === one.template_id)));
    this.cursor = page.next_cursor;
    this.render();
  }

  /** Keep the chosen target as a template. */
  async add() {
    const file = this.page.photo();
    if (!file || !this.page.consents()) return;
    const form = new FormData();
    form.append("consent", "true");
    form.append("name", file.name.slice(0, 255));
    form.append("image", file);
    await this.guarded(async () => {
      const made = await submit("/v1/templates", form, { key: crypto.randomUUID() });
      this.put(made);
      await this.untilPrepared(made);
    });
  }

  async untilPrepared(made) {
    let now = made;
    while (now.status === "preparing") {
      await rest(LOOK_SECONDS);
      now = await ask(made.links.self);
      this.put(now);
    }
    if (now.status === "failed") {
      this.drop(now);
      throw Problem.ofTask(now);
    }
    announce(say("templateSaved"));
  }

  async remove(template) {
    const yes = await confirmed({ title: say("templateDeleteTitle"), more: say("templateDeleteMore"), yes: say("deleteYes") });
    if (!yes) return;
    await this.guarded(async () => {
      await ask(template.links.self, { method: "DELETE" });
      this.drop(template);
    });
    this.root.querySelector("button")?.focus();
  }

  async guarded(work) {
    show(this.problem, null);
    try {
      await work();
    } catch (problem) {
      show(this.problem, problem);
    }
  }

  put(template) {
    const at = this.templates.findIndex((one) => one.template_id === template.template_id);
    if (at < 0) this.templates.unshift(template);
    else this.templates[at] = template;
    this.render();
  }

  drop(template) {
    this.templates = this.templates.filter((one) => one.template_id !== template.template_id);
    this.pictures.get(template.template_id)?.then(URL.revokeObjectURL, () => {});
    this.pictures.delete(template.template_id);
    this.render();
  }

  render() {
    const add = this.page.photo() ? this.button("saveTemplate", () => this.add()) : null;
    this.root.hidden = !this.offered || (!this.templates.length && !add && this.problem.hidden);
    this.root.replaceChildren(
      element("div", { className: "section-title" }, element("h2", { id: "gallery-title" }, say("templates")),
        element("p", {}, say("templatesMore")), add),
      element("ul", { className: "strip" }, ...this.templates.map((one) => this.item(one))),
      this.cursor ? this.button("moreTemplates", () => this.guarded(() => this.more())) : "", this.problem);
  }

  button(word, act) {
    return element("button", { type: "button", className: "quiet", onclick: act }, say(word));
  }

  item(template) {
    const name = template.name || say("unnamed");
    const ready = template.status === "ready";
    const image = element("img", { alt: "", width: 96, height: 96, loading: "lazy" });
    this.show(template, image);
    const use = element("button", { type: "button", className: "tile", disabled: !ready, title: name,
      "aria-label": ready ? say("useTemplate", { name }) : `${name}: ${say("templatePreparing")}`,
      onclick: async () => this.page.onUse(template, await this.url(template)) }, image);
    return element("li", { className: ready ? "" : "preparing" }, use,
      element("button", { type: "button", className: "remove", "aria-label": say("deleteTemplate", { name }),
        title: say("deleteTemplate", { name }), onclick: () => this.remove(template) }, icon(ICONS.cross)));
  }

  async show(template, image) {
    image.src = await this.url(template).catch(() => "");
  }

  /** Of the picture, fetched once; what failed is fetched again when it is next needed. */
  url(template) {
    const id = template.template_id;
    if (!this.pictures.has(id)) {
      const fetched = picture(template.links.image).then(URL.createObjectURL);
      fetched.catch(() => this.pictures.delete(id));
      this.pictures.set(id, fetched);
    }
    return this.pictures.get(id);
  }
}
