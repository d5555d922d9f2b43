"use strict";
// <th><button data-sort>: a click sorts the table by that column, a second click reverses the
// order. A cell's data-value takes precedence over its text; numbers are sorted numerically,
// largest first, and empty cells come last.
for (const button of document.querySelectorAll("button[data-sort]")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const rows = [...body.rows], values = new Map(rows.map((row) => {
      const cell = row.cells[head.cellIndex];
      return [row, cell.dataset.value ?? cell.textContent.trim()];
    }));
    const numeric = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : numeric;
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    rows.sort((one, two) => {
      const a = values.get(one), b = values.get(two);
      if (a === "" || b === "") return (a === "") - (b === "");
      return (numeric ? a - b : a.localeCompare(b)) * (descending ? -1 : 1);
    });
    body.append(...rows);
  });
}
// <input data-filter="id"> or <select data-filter="id">: of the children or table rows of the
// element with that id, shows only those whose data-name contains the input.
for (const control of document.querySelectorAll("[data-filter]")) {
  const filter = () => {
    const query = control.value.trim().toLowerCase();
    const list = document.getElementById(control.dataset.filter);
    for (const item of list.querySelectorAll("[data-name]")) {
      item.hidden = !item.dataset.name.toLowerCase().includes(query);
    }
  };
  control.addEventListener("input", filter);
  control.addEventListener("change", filter); // some browsers send only this for a <select>
}
