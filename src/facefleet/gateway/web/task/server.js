// Everything that goes over HTTP. A request that got no answer is told from one that was refused.

import { Problem } from "../parts/problem.js";

const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 15;
const TOO_OFTEN = 429; // no trouble: our turn comes
const REFUSALS = 6; // how often a server may say "not now" before the reader decides

/** Headers of every request: the one place where a token would be added. */
function headersOf(extra = {}) {
  return { Accept: "application/json", ...extra };
}

/** The answer to a request; one that refuses it is a problem. */
export async function answer(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headersOf(options.headers), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable", { retryable: true });
  }
  if (!response.ok) throw Problem.of(response.status, await response.text(), (name) => response.headers.get(name));
  return response;
}

/** The JSON of an answer. */
export async function ask(path, options) {
  return (await answer(path, options)).json();
}

/** Send a form once; only XMLHttpRequest tells how far an upload is. */
function send(path, form, { key, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headersOf(key ? { "Idempotency-Key": key } : {}))) {
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
 * Send a form until it is answered: an answer lost on its way is asked for again with the same key, so that no second
 * task is made.
 * @param {{key: string, signal?: AbortSignal, onProgress?: (share: number) => void,
 *   onWait?: (problem: Problem, seconds: number) => void}} how
 */
export async function submit(path, form, how) {
  let refusals = 0;
  for (let seconds = FIRST_WAIT_SECONDS; ; seconds = Math.min(seconds * 2, LONGEST_WAIT_SECONDS)) {
    try {
      return await send(path, form, how);
    } catch (problem) {
      if (!problem.retryable || (problem.status && problem.status !== TOO_OFTEN && ++refusals >= REFUSALS)) throw problem;
      const pause = Math.max(seconds, problem.retryAfter);
      how.onWait?.(problem, pause);
      await rest(pause, how.signal);
    }
  }
}

/** Send a form once, without a key: for what leaves nothing behind. */
export const sendOnce = (path, form, signal) => send(path, form, { signal });

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
