// What went wrong, in the reader's language: our codes have sentences of their own, others say what the server said.

import { element } from "./element.js";
import { explain, say } from "../words/words.js";

const PASSING = new Set(["attempts_exhausted", "worker_lost", "deadline_exceeded", "out_of_memory", "internal"]);
const PHOTOS = ["source", "target"];

export class Problem extends Error {
  /**
   * @param {string} code - Of errors.py, or `unreachable` and `unreadable_here`, which arise in the browser.
   * @param {{message?: string, status?: number, retryable?: boolean, retryAfter?: number, requestId?: string,
   *   taskId?: string, field?: string}} facts
   */
  constructor(code, facts = {}) {
    super(facts.message ?? code);
    Object.assign(this, { code, status: 0, retryable: false, retryAfter: 0, requestId: "", taskId: "", field: "" }, facts);
  }

  /** Of a problem document (RFC 9457), or of an answer that is none (a proxy's page). */
  static of(status, text, header) {
    let body = {};
    try {
      body = JSON.parse(text);
    } catch { /* not JSON: the status has to do */ }
    return new Problem(body.code ?? `http_${status}`, {
      message: body.detail ?? body.title ?? `HTTP ${status}`,
      status,
      retryable: body.retryable ?? [408, 429, 502, 503, 504].includes(status),
      retryAfter: Number(header("retry-after")) || 0,
      requestId: header("x-request-id") ?? "",
      field: body.field ?? body.context?.field ?? "",
    });
  }

  /** How a task ended. */
  static ofTask(task) {
    const { code, message, detail } = task.error ?? { code: "internal", message: "" };
    return new Problem(code, { message, taskId: task.task_id, field: detail?.field ?? detail?.image ?? "" });
  }

  /** What to tell the reader, and of which photo. */
  get words() {
    const words = explain(this.code) ?? (this.message || say("unknownError"));
    return PHOTOS.includes(this.field) ? `${say(this.field)} – ${words}` : words;
  }

  /** Whether the same again can go better; of a session that is over, after signing in. */
  get passing() {
    return this.retryable || this.status === 401 || PASSING.has(this.code);
  }

  /** The number to tell whoever runs the server; only where our own words do not already say what to do. */
  get number() {
    if (explain(this.code) && this.code !== "internal" && !this.taskId) return "";
    if (this.taskId) return say("taskId", { id: this.taskId });
    return this.requestId ? say("requestId", { id: this.requestId }) : "";
  }
}

/** Fill an element with a problem, or empty and hide it. */
export function show(place, problem, ...actions) {
  place.hidden = !problem;
  place.replaceChildren();
  if (!problem) return;
  place.append(element("p", {}, problem.words));
  if (problem.number) place.append(element("p", { className: "number" }, problem.number));
  if (actions.length) place.append(element("div", { className: "actions" }, ...actions));
}
