// Runs before the first paint: the chosen theme and language, so that neither flashes.
(() => {
  const root = document.documentElement;
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const theme = kept("facefleet.theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const preferred = navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
  root.lang = kept("facefleet.language") ?? (/^zh/i.test(preferred) ? "zh-CN" : "en");
  root.classList.add("pending");
  setTimeout(() => root.classList.remove("pending"), 1500);
})();
