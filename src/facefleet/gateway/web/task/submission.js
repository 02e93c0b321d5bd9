// One submission from the press of the button to the end of its task.

import { submit } from "./server.js";
import { follow } from "./task.js";

/** What is sent; the same things again have the same key, until they have led to a task. */
export class Submission {
  /** @param {{source: File, target: File | null, templateId: string | null, options: object}} order */
  constructor(order) {
    this.order = order;
    this.key = crypto.randomUUID();
    this.control = new AbortController();
    this.task = null;
  }

  /** Whether another order asks for the same. */
  matches(order) {
    return Object.keys(order).every((name) => name === "options" || order[name] === this.order[name])
      && JSON.stringify(order.options) === JSON.stringify(this.order.options);
  }

  /** Send it and follow it; the task as it ended. */
  async run({ onUpload, onWait, onTask, onTrouble }) {
    this.control = new AbortController();
    const { signal } = this.control;
    onUpload(0);
    this.task = await submit("/v1/fuse", formOf(this.order), { key: this.key, signal, onProgress: onUpload, onWait });
    return follow(this.task, { onChange: onTask, onTrouble, signal });
  }
}

function formOf({ source, target, templateId, options }) {
  const form = new FormData();
  form.append("consent", "true");
  form.append("options", JSON.stringify(options));
  if (templateId) form.append("template_id", templateId);
  form.append("source", source);
  if (target) form.append("target", target);
  return form;
}
