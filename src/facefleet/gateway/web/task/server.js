// Everything that goes over HTTP. A request that got no answer is told from one that was refused.

import { notice } from "../parts/notice.js";
import { Problem } from "../parts/problem.js";
import { proof, renewed, sessionNumber } from "../session/session.js";
import { say } from "../words/words.js";

const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 15;
const TOO_OFTEN = 429; // no trouble: our turn comes
const REFUSALS = 6; // how often a server may say "not now" before the reader decides
const SAFE = new Set(["GET", "HEAD"]);

/** Headers of every request; one that changes something shows that this page sends it. */
function headersOf(method, extra = {}) {
  return { Accept: "application/json", ...(SAFE.has(method) ? {} : proof()), ...extra };
}

async function fetched(path, options) {
  const headers = headersOf(options.method ?? "GET", options.headers);
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable", { retryable: true });
  }
  if (!response.ok) throw Problem.of(response.status, await response.text(), (name) => response.headers.get(name));
  return response;
}

/** Make a request again after the session that it was made in was over, and another has begun. */
async function inSession(request) {
  for (;;) {
    const number = sessionNumber();
    try {
      return await request();
    } catch (problem) {
      if (!(problem instanceof Problem) || !(await renewed(problem, number))) throw problem;
    }
  }
}

/** Make a request again when its turn has come, if there were too many; the reader is told why it takes time. */
async function inTurn(request, signal) {
  for (;;) {
    try {
      return await request();
    } catch (problem) {
      if (problem.code !== "rate_limited") throw problem;
      const seconds = Math.max(FIRST_WAIT_SECONDS, problem.retryAfter);
      notice(`${problem.words} ${say("retrySoon", { n: seconds })}`);
      await rest(seconds, signal).finally(() => notice(null));
    }
  }
}

/** The answer to a request of this session, made when its turn has come. */
export const answer = (path, options = {}) => inSession(() => inTurn(() => fetched(path, options), options.signal));

const jsonOf = (response) => (response.status === 204 ? null : response.json());

/** The JSON of an answer. */
export async function ask(path, options) {
  return jsonOf(await answer(path, options));
}

/** The same of what is about the session itself: how it is refused is for whoever asks. */
export async function askOnce(path, options = {}) {
  return jsonOf(await fetched(path, options));
}

/** Send a form once; only XMLHttpRequest tells how far an upload is. */
function send(path, form, { key, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headersOf("POST", key ? { "Idempotency-Key": key } : {}))) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(Problem.of(request.status, request.responseText, (name) => request.getResponseHeader(name)));
    };
    request.onerror = () => reject(new Problem("unreachable", { retryable: true }));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted) request.onabort();
    else request.send(form);
  });
}

/**
 * Make a request until it is answered.
 * @param {() => Promise<T>} request
 * @param {{signal?: AbortSignal, most?: number, onWait?: (problem: Problem, seconds: number) => void}} how - `most` refusals.
 * @template T
 * @returns {Promise<T>}
 */
export async function patiently(request, { signal, onWait, most = REFUSALS } = {}) {
  let refusals = 0;
  for (let seconds = FIRST_WAIT_SECONDS; ; seconds = Math.min(seconds * 2, LONGEST_WAIT_SECONDS)) {
    try {
      return await request();
    } catch (problem) {
      if (!problem.retryable || (problem.status && problem.status !== TOO_OFTEN && ++refusals >= most)) throw problem;
      const pause = Math.max(seconds, problem.retryAfter);
      onWait?.(problem, pause);
      await rest(pause, signal);
    }
  }
}

/**
 * Send a form until it is answered: an answer lost on its way is asked for again with the same key, so that no second
 * task is made.
 * @param {{key: string, signal?: AbortSignal, onProgress?: (share: number) => void,
 *   onWait?: (problem: Problem, seconds: number) => void}} how
 */
export const submit = (path, form, how) => patiently(() => inSession(() => send(path, form, how)), how);

/** Send a form once, without a key: for what leaves nothing behind. */
export const sendOnce = (path, form, signal) => inSession(() => inTurn(() => send(path, form, { signal }), signal));

/** So many s, or until the connection is back. */
export function rest(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle) => () => {
      clearTimeout(timer);
      removeEventListener("online", online);
      settle(new DOMException("aborted", "AbortError"));
    };
    const online = end(resolve);
    const timer = setTimeout(online, seconds * 1000);
    addEventListener("online", online);
    signal?.addEventListener("abort", end(reject));
  });
}
