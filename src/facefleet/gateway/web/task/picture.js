// Pictures: from the object store itself where it gives links, which spares the gateway their bytes; else through the gateway.

import { Problem } from "../parts/problem.js";
import { answer } from "./server.js";

let past = Boolean(document.querySelector("meta[name=store]").content); // whether the store can be read from here

/** A picture of ours. A store without a rule for our origin (CORS) fails once, and is not asked again. */
export async function picture(path, signal) {
  if (!past) return read(`${path}?redirect=false`, signal);
  try {
    return await read(path, signal);
  } catch (problem) {
    if (!isOfTheStore(problem)) throw problem;
    const found = await read(`${path}?redirect=false`, signal); // where it is the gateway that is away, this says so
    past = false;
    return found;
  }
}

/** Whether it can be the store that failed: it got no answer, or one that is no document of the gateway's. */
const isOfTheStore = ({ code }) => code === "unreachable" || /^http_/.test(code ?? "");

async function read(path, signal) {
  const response = await answer(path, { signal, headers: { Accept: "image/*" } });
  try {
    return await response.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable", { retryable: true });
  }
}
