"use strict";
// Narrows and orders the list that stands in the page. Without it the page is the whole list.
(() => {
  const byId = (id) => document.getElementById(id);
  const cards = byId("cards");
  setUpLook();
  if (!cards) return;

  const search = byId("search");
  const filters = ["priority", "said", "book", "theme"].map(byId).filter(Boolean);
  const order = byId("order");
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const entries = [...cards.children].map((item, rank) => {
    const { priority, said, book, theme, disputed } = item.firstElementChild.dataset;
    return {
      item, rank, priority, theme, text: null,
      books: Number(said), book: book.split(" "), isDisputed: disputed !== undefined,
      title: item.querySelector("summary b").textContent,
    };
  });
  const most = Math.max(...[...byId("said").options].map((one) => Number(one.value) || 0));

  const fits = {
    priority: (one, value) => one.priority === value,
    theme: (one, value) => one.theme === value,
    book: (one, value) => one.book.includes(value),
    said: (one, value) => {
      if (value === "several") return one.books > 1;
      if (value === "disputed") return one.isDisputed;
      return Math.min(one.books, most) === Number(value);
    },
  };

  function hasWords(one, words) {
    one.text ??= folded(one.item.textContent);
    return words.every((word) => one.text.includes(word));
  }

  function narrow() {
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    const active = filters.filter((one) => one.value !== "");
    let shown = 0;
    for (const one of entries) {
      const isShown = active.every((filter) => fits[filter.id](one, filter.value)) && hasWords(one, words);
      one.item.hidden = !isShown;
      shown += isShown;
    }
    const all = entries.length;
    byId("shown").textContent = shown === all ? `all ${all.toLocaleString("en")}` : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")}`;
    byId("none").hidden = shown > 0;
  }

  function sort() {
    const before = {
      rank: (a, b) => a.rank - b.rank,
      books: (a, b) => b.books - a.books || a.rank - b.rank,
      title: (a, b) => a.title.localeCompare(b.title, "en") || a.rank - b.rank,
    }[order.value];
    cards.append(...[...entries].sort(before).map((one) => one.item));
  }

  function reset() {
    search.value = "";
    for (const filter of filters) filter.value = "";
  }

  // An entry that a link leads to is opened, also where the filters hide it.
  function follow() {
    const target = location.hash.length > 1 && byId(decoded(location.hash.slice(1)));
    if (!target || target.tagName !== "DETAILS") return;
    if (target.parentElement.hidden) {
      reset();
      narrow();
    }
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  search.addEventListener("input", narrow);
  for (const filter of filters) filter.addEventListener("change", narrow);
  order.addEventListener("change", sort);
  byId("reset").addEventListener("click", () => {
    reset();
    narrow();
    search.focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    if (link.dataset.narrow) {
      const [name, value] = link.dataset.narrow.split("=");
      reset();
      byId(name).value = value;
      narrow();
    } else if (link.hash === location.hash) {
      follow();
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      narrow();
    }
  });
  window.addEventListener("hashchange", follow);
  byId("tools").hidden = false;
  // A browser gives back what stood in the fields before the page was loaded again.
  narrow();
  sort();
  follow();

  function setUpLook() {
    const button = byId("look");
    const root = document.documentElement;
    const isDark = () => (root.dataset.look ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      root.dataset.look = isDark() ? "light" : "dark";
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
    button.hidden = false;
  }
})();
