"use strict";
(() => {
  const table = document.querySelector(".tasks");
  const worst = ["lost", "failed", "error", "timeout", "known failure", "gained", "kept", "passed"];
  const names = new Intl.Collator("en", { numeric: true });

  // One entry per task, read from the table once, in the suites' order.
  const tasks = [...table.tBodies].map((body, place) => {
    const cells = body.rows[0].cells;
    const text = (k) => cells[k].textContent;
    return {
      body, place, id: text(1), suite: text(2), outcome: text(3), status: text(4),
      margin: text(6) === "" ? null : Number(text(6).replaceAll(",", "")), seconds: Number(text(7)),
      words: `${text(1)} ${text(5)}`.toLowerCase(),
    };
  });

  const compare = {
    id: (a, b) => names.compare(a.id, b.id),
    suite: (a, b) => names.compare(a.suite, b.suite),
    outcome: (a, b) => worst.indexOf(a.outcome) - worst.indexOf(b.outcome),
    status: (a, b) => worst.indexOf(a.status) - worst.indexOf(b.status),
    margin: (a, b) => a.margin - b.margin,
    seconds: (a, b) => a.seconds - b.seconds,
  };

  // A first click sorts upwards, a second downwards, a third brings the suites' order back.
  // What has no value stands last either way.
  function sort(header) {
    const key = header.dataset.sort;
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const direction = next[header.getAttribute("aria-sort")];
    for (const other of table.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", direction);
    const sign = direction === "descending" ? -1 : 1;
    const ordered = direction === "none" ? tasks : tasks.toSorted((a, b) =>
      (a[key] === null) - (b[key] === null) || sign * compare[key](a, b) || a.place - b.place);
    table.append(...ordered.map((task) => task.body));
  }

  for (const header of table.querySelectorAll("[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(header));
    header.append(button);
    header.setAttribute("aria-sort", "none");
  }

  const find = document.getElementById("find");
  const outcome = document.getElementById("by-outcome");
  const suite = document.getElementById("by-suite");
  const count = document.getElementById("count");
  const all = count.textContent;

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const task of tasks) {
      const fits = words.every((word) => task.words.includes(word))
        && (!outcome.value || task.outcome === outcome.value)
        && (!suite.value || task.suite === suite.value);
      task.body.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === tasks.length ? all : `${shown.toLocaleString("en")} of ${all}`;
  }

  for (const control of [find, outcome, suite]) control.addEventListener("input", filter);
  find.closest(".filters").hidden = false;
  filter();

  // A link to a closed case opens it.
  function reveal() {
    document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
  }
  addEventListener("hashchange", reveal);
  reveal();

  // Paper cannot be clicked: cards print open, and as they were left afterwards.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".card details:not([open])")];
    for (const card of closed) card.open = true;
  });
  addEventListener("afterprint", () => {
    for (const card of closed) card.open = false;
  });
})();
