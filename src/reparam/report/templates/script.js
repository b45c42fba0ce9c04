"use strict";
(() => {
  const root = document.documentElement, byId = id => document.getElementById(id);

  const theme = byId("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const store = {
    get() { try { return localStorage.getItem("reparam-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("reparam-theme", value); } catch { /* a page opened from a file may have no storage */ } },
  };
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", "Switch to the " + theme.textContent.toLowerCase() + " theme"); };
  if (store.get()) root.dataset.theme = store.get();
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; store.set(root.dataset.theme); name(); });
  dark.addEventListener("change", name);
  name();

  const reveal = () => {
    const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.tagName === "DETAILS") target.open = true;
    else if (target.matches("tbody.claim")) { target.hidden = false; show(target, true); }
    else return;
    target.scrollIntoView();
  };
  const show = (claim, open) => {
    claim.querySelector(".toggle").setAttribute("aria-expanded", open);
    claim.querySelector(".detail").hidden = !open;
  };

  const board = byId("board"), claims = board ? [...board.querySelectorAll("tbody.claim")] : [];
  for (const claim of claims) {
    claim.querySelector(".toggle").addEventListener("click", () => show(claim, claim.querySelector(".detail").hidden));
    show(claim, false);
  }
  addEventListener("hashchange", reveal);

  if (!board) { reveal(); return; }

  const compare = {
    text: (a, b) => a.localeCompare(b),
    natural: (a, b) => a.localeCompare(b, undefined, { numeric: true }),
    number: (a, b) => a - b,
    order: (a, b) => a - b,
  };
  board.querySelectorAll(".sort").forEach(button => button.addEventListener("click", () => {
    const head = button.closest("th"), column = head.cellIndex;
    const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    board.querySelectorAll("th[aria-sort]").forEach(other => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    const key = claim => claim.rows[0].cells[column].dataset.sort;
    // what has no value stays at the end, whichever way
    const sorted = [...claims].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return way * compare[button.dataset.kind](x, y);
    });
    board.append(...sorted);
  }));

  const filters = byId("filters"), shown = byId("shown");
  const filter = () => {
    const { verdict, paper, text } = filters.elements, words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const claim of claims) {
      const data = claim.dataset;
      claim.hidden = !((!verdict.value || data.verdict === verdict.value) && (!paper.value || data.paper === paper.value)
        && words.every(word => data.text.includes(word)));
      count += !claim.hidden;
    }
    shown.textContent = `${count} of ${claims.length}`;
    byId("none-shown").hidden = count > 0;
  };
  filters.hidden = false;
  filters.addEventListener("input", filter);
  filters.addEventListener("submit", event => event.preventDefault());
  filter();
  reveal();
})();
