// Following a task to its end: by its events, and by asking where a proxy holds them back.

import { sessionNumber } from "../session/session.js";
import { ask, rest } from "./server.js";

const ENDED = new Set(["succeeded", "failed", "canceled"]);
const STATES = ["queued", "running", ...ENDED];
const ASK_SECONDS = 1; // without events
const LOOK_SECONDS = 10; // beside events, which a proxy may swallow in silence
const PATIENCE_SECONDS = 3; // for the first event: the server sends it at once
const BREAKS = 5; // in a row, before events are given up

/** Whether nothing will change any more. */
export const hasEnded = (task) => ENDED.has(task.status);

/**
 * Call back with every change until the task ends.
 * @param {{links: {self: string, events?: string}}} begun
 * @param {{onChange: (task: object) => void, onTrouble: (problem: Problem | null) => void, signal: AbortSignal}} to
 * @returns {Promise<object>} The task as it ended.
 */
export async function follow(begun, { onChange, onTrouble, signal }) {
  const listen = () => new Events(begun.links.events ?? `${begun.links.self}/events`, signal);
  let events = listen();
  let newest = null;
  try {
    for (;;) {
      if (!events.open && events.session !== sessionNumber()) events = listen(); // they ended with the session
      const task = (await events.next()) ?? (await look(begun.links.self, signal, onTrouble));
      if (task && (!newest || task.version >= newest.version)) {
        newest = task;
        onTrouble(null);
        onChange(task);
        if (hasEnded(task)) return task;
      }
    }
  } finally {
    events.close();
  }
}

/** The task as it stands, or null while the server cannot be reached. */
async function look(path, signal, onTrouble) {
  try {
    return await ask(path, { signal });
  } catch (problem) {
    if (!problem.retryable) throw problem;
    onTrouble(problem);
    await rest(Math.max(ASK_SECONDS, problem.retryAfter), signal);
    return null;
  }
}

/** The stream of a task's events. The browser comes back by itself with Last-Event-ID when the stream breaks. */
class Events {
  constructor(path, signal) {
    this.signal = signal;
    this.session = sessionNumber();
    this.waiting = [];
    this.wake = () => {};
    this.breaks = 0;
    this.heard = false;
    this.source = new EventSource(path);
    for (const state of STATES) this.source.addEventListener(state, (event) => this.hear(event));
    this.source.onerror = () => this.broke();
  }

  get open() {
    return this.source.readyState !== EventSource.CLOSED;
  }

  /** The next event's task, or null when it is time to look ourselves. */
  async next() {
    if (!this.waiting.length) await this.event(this.patience());
    this.signal.throwIfAborted();
    if (!this.waiting.length && !this.heard) this.close(); // it opened, and something in between keeps it silent
    return this.waiting.shift() ?? null;
  }

  patience() {
    if (!this.open) return ASK_SECONDS;
    return this.heard ? LOOK_SECONDS : PATIENCE_SECONDS;
  }

  event(seconds) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, seconds * 1000);
      this.signal.addEventListener("abort", resolve, { once: true });
    });
  }

  hear(event) {
    this.heard = true;
    this.breaks = 0;
    this.waiting.push(JSON.parse(event.data));
    this.wake();
  }

  broke() {
    if (++this.breaks >= BREAKS) this.close();
    this.wake();
  }

  close() {
    this.source.close();
  }
}
