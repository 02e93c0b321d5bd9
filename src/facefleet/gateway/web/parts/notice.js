// One line above everything, for what concerns the whole page: the network is away, the server asks us to wait.

/** Say it, or take it back (null). */
export function notice(words) {
  const place = document.getElementById("connection");
  place.textContent = words ?? "";
  place.hidden = !words;
}
