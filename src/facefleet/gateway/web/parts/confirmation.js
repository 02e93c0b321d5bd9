// A question before something that cannot be undone. Escape and a click outside mean no.

import { element } from "./element.js";
import { say } from "../words/words.js";

/** Ask; whether the answer was yes. */
export function confirmed({ title, more, yes }) {
  return new Promise((resolve) => {
    const titleId = "confirmation-title";
    const close = (value) => () => dialog.close(value);
    const dialog = element("dialog", { className: "dialog", "aria-labelledby": titleId },
      element("h2", { id: titleId }, title), element("p", {}, more),
      element("div", { className: "actions" },
        element("button", { type: "button", className: "plain", autofocus: true, onclick: close("no") }, say("keepIt")),
        element("button", { type: "button", className: "danger", onclick: close("yes") }, yes)));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("no"));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
