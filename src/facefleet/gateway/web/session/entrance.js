// Lets the reader in: the view that asks to sign in, the dialog when a session ends under way, who is in, and the way out.

import { announce } from "../words/announcer.js";
import { element } from "../parts/element.js";
import { keep, recall } from "../parts/memory.js";
import { notice } from "../parts/notice.js";
import { askOnce, patiently } from "../task/server.js";
import { begin, isSame, onOver, present } from "./session.js";
import { SignIn } from "./sign_in.js";
import { onLanguage, say } from "../words/words.js";

const NOBODY = "local"; // the credential of a server that asks for none
const tabs = new BroadcastChannel("facefleet.session");
let resume = null; // closes the dialog of a session that is over, with another

/**
 * Find out who is here; where the server wants to know, the view asks until somebody has signed in.
 * @param {HTMLElement} view
 * @param {HTMLElement} badge - Shows who is signed in.
 */
export async function enter(view, badge) {
  const onWait = (problem) => { appear(); notice(problem.words); };
  const found = await patiently(known, { onWait, most: Infinity }).catch((problem) => ({ problem }));
  notice(null);
  if (found?.credential === NOBODY || found?.problem) return; // another refusal is told where the page asks for something
  listenToTabs();
  admit(found ?? (await viewed(view)));
  onOver(goOn);
  onLanguage(() => name(badge));
}

/** The session that the cookie stands for, or null where it stands for none. */
async function known() {
  try {
    return await askOnce("/v1/session");
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}

function appear() {
  document.documentElement.classList.remove("pending");
}

async function viewed(view) {
  document.body.classList.add("signed-out");
  const entered = await new Promise((resolve) => {
    const form = new SignIn({ level: "h1", title: "signInTitle", more: "signInMore", onDone: resolve });
    view.replaceChildren(form.root);
    view.hidden = false;
    appear();
    form.input.focus();
  });
  view.hidden = true;
  view.replaceChildren();
  document.body.classList.remove("signed-out");
  announce(say("signedInAs", entered));
  document.getElementById("main").focus({ preventScroll: true });
  tabs.postMessage("changed");
  return entered;
}

/** What this browser keeps is one person's: it is forgotten when another signs in. */
function admit(view) {
  const owner = JSON.stringify([view.tenant, view.subject]);
  if (recall("owner") !== owner) keep("recent", null);
  keep("owner", owner);
  begin(view);
}

/** A request was refused for its session: whether there is one again. */
async function goOn() {
  const view = (await known()) ?? (await asked());
  if (!view) return false;
  if (!isSame(view, present())) {
    leave();
    return new Promise(() => {}); // what waits goes with the page
  }
  const other = view.csrf_token !== present().csrf_token;
  begin(view);
  return other;
}

/** The dialog over the page, which stays as it is; null when it was closed. */
function asked() {
  return new Promise((resolve) => {
    let entered = null;
    resume = (view) => { entered = view; dialog.close(); };
    const onDone = (view) => { resume(view); tabs.postMessage("changed"); };
    const form = new SignIn({ level: "h2", title: "overTitle", more: "overMore", onDone, onLater: () => dialog.close() });
    const dialog = element("dialog", { className: "dialog", "aria-labelledby": "sign-in-title" }, form.root);
    dialog.addEventListener("close", () => { resume = null; dialog.remove(); resolve(entered); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** End the session; nothing of it stays in this browser. */
async function signOut() {
  try {
    await askOnce("/v1/session", { method: "DELETE" });
  } catch (problem) {
    if (problem.status !== 401) { // the cookie is still good, and the reader must know it
      notice(problem.words);
      return;
    }
  }
  keep("recent", null);
  keep("owner", null);
  tabs.postMessage("changed");
  leave();
}

/** Begin anew: photos, results and the token are only in this document. */
function leave() {
  if (present()) history.replaceState(null, "", location.pathname);
  location.reload();
}

/** Somebody signed in or out in another tab, or the browser brings back a page that was left. */
function listenToTabs() {
  const look = async () => {
    const view = await known().catch(() => undefined);
    if (view === undefined) return; // not to be known now: the next request tells
    if (view && resume) resume(view);
    else if (view && present() && isSame(view, present())) begin(view);
    else if (view || present()) leave();
  };
  tabs.onmessage = look;
  addEventListener("pageshow", (event) => event.persisted && look());
}

function name(badge) {
  const { subject, tenant, roles, csrf_token: inSession } = present();
  const out = inSession && element("button", { type: "button", className: "quiet", onclick: signOut }, say("signOut"));
  const words = [tenant, ...roles.map((role) => say(`role_${role.replace("-", "_")}`))].join(" · ");
  badge.hidden = false;
  badge.setAttribute("aria-label", say("signedIn"));
  badge.replaceChildren(element("p", { title: `${subject}\n${words}` }, element("b", {}, subject), element("span", {}, words)), out || "");
}
