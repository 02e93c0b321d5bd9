// Who is signed in, as this page knows it. The key is not here: the browser holds a cookie that no script can read.

let who = null; // as /v1/session tells it; null: nobody, or nobody is asked for
let signIns = 0;
let again = null; // what finds out whether the session goes on, or begins another
let asking = null; // while that is under way: it is done once, however many requests meet the end

/** Tenant, subject, roles and permissions of whoever is signed in, or null. */
export const present = () => who;

/** How many sessions this page has had: what was asked in an earlier one is told from what failed in this one. */
export const sessionNumber = () => signIns;

/** Whether the server would allow it; where nobody is asked for, it allows everything. */
export const may = (permission) => !who || who.permissions.includes(permission);

/** Whether two are the same person. */
export const isSame = (one, other) => one.tenant === other.tenant && one.subject === other.subject;

/** Headers that show that this page sends a request which changes something (cross-site request forgery). */
export const proof = () => (who?.csrf_token ? { "X-CSRF-Token": who.csrf_token } : {});

/** From now on it is this session. */
export function begin(view) {
  who = view;
  signIns += 1;
}

/** Say what goes on with a session that a refusal puts in question; it gives whether there is one again. */
export function onOver(ask) {
  again = ask;
}

/**
 * Whether a request may be made again: its session was over, and there is another now.
 * @param {Problem} problem - How it was refused.
 * @param {number} number - Of the session that it was made in.
 */
export async function renewed(problem, number) {
  if (!who || !(problem.status === 401 || problem.code === "csrf_token_invalid")) return false;
  if (number !== signIns) return true;
  asking ??= again(problem).finally(() => { asking = null; });
  return asking;
}
