// Tells screen readers what changed, without moving the focus.

/** Say it when the reader pauses. */
export function announce(text) {
  const place = document.getElementById("polite");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}
