// What the browser keeps for us. Where it keeps nothing (private windows, full disks), all goes on without.

const PREFIX = "facefleet.";

/** The text kept under a name, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Keep a text, or forget it (null); whether it was kept. */
export function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
    return true;
  } catch {
    return false;
  }
}

/** Call back when another tab has changed what is kept under a name. */
export function onOtherTab(name, changed) {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + name || event.key === null) changed();
  });
}
