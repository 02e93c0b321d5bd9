// The form to sign in: a key or token is sent once and forgotten; the field is empty before the answer comes.

import { element } from "../parts/element.js";
import { askOnce, patiently } from "../task/server.js";
import { explain, onLanguage, say } from "../words/words.js";

const CREDENTIAL = /^[A-Za-z0-9._~+/-]+=*$/; // what a header can hold of it (RFC 6750); a mistyped one is not sent

export class SignIn {
  /**
   * @param {{level: "h1" | "h2", title: string, more: string, onDone: (view: object) => void, onLater?: () => void}} how -
   *   `title` and `more` name words; `onLater` closes the form without signing in.
   */
  constructor({ level, title, more, onDone, onLater = null }) {
    this.onDone = onDone;
    this.busy = false;
    this.heading = element(level, { id: "sign-in-title" });
    this.more = element("p", {});
    this.label = element("label", { htmlFor: "credential" });
    this.input = element("input", { type: "password", id: "credential", className: "field", autocomplete: "off",
      autocapitalize: "none", "aria-describedby": "credential-error credential-hint" });
    this.error = element("p", { id: "credential-error", className: "field-error", role: "alert" });
    this.hint = element("small", { id: "credential-hint" });
    this.go = element("button", { type: "submit", className: "primary" });
    this.later = onLater && element("button", { type: "button", className: "plain", onclick: onLater });
    this.root = element("form", { className: "sign-in", noValidate: true }, this.heading, this.more, this.label, this.input,
      this.error, this.hint, element("div", { className: "actions" }, this.later, this.go));
    this.root.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.problem = () => "";
    onLanguage(() => this.name(title, more), this.root);
  }

  name(title, more) {
    this.heading.textContent = say(title);
    this.more.textContent = say(more);
    this.label.textContent = say("credential");
    this.hint.textContent = say("credentialHint");
    this.go.textContent = say(this.busy ? "signingIn" : "signIn");
    if (this.later) this.later.textContent = say("notNow");
    this.error.textContent = this.problem();
  }

  async submit() {
    if (this.busy) return;
    const credential = this.input.value.trim();
    this.input.value = "";
    if (!CREDENTIAL.test(credential)) {
      this.fail(credential ? () => explain("credential_invalid") : () => say("credentialMissing"));
      return;
    }
    this.work(true);
    try {
      const headers = { Authorization: `Bearer ${credential}` };
      const onWait = (problem, seconds) => this.tell(() => `${problem.words} ${say("retrySoon", { n: Math.round(seconds) })}`);
      this.onDone(await patiently(() => askOnce("/v1/session", { method: "POST", headers }), { onWait }));
    } catch (problem) {
      this.fail(() => problem.words);
    } finally {
      this.work(false);
    }
  }

  work(busy) {
    this.busy = busy;
    this.go.textContent = say(busy ? "signingIn" : "signIn");
    this.root.setAttribute("aria-busy", String(busy));
    if (busy) this.tell(() => "");
  }

  fail(words) {
    this.tell(words);
    this.input.setAttribute("aria-invalid", "true");
    this.input.focus();
  }

  tell(words) {
    this.problem = words;
    this.input.removeAttribute("aria-invalid");
    this.error.textContent = words();
  }
}
