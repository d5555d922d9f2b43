"use strict";
// <th><button data-sort>: a click sorts the table by that column, a second click the other way round. A cell's data-value goes before its
// text; numbers sort as numbers, largest first, and empty cells come last.
for (const button of document.querySelectorAll("button[data-sort]")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const rows = [...body.rows], values = new Map(rows.map((row) => {
      const cell = row.cells[head.cellIndex];
      return [row, cell.dataset.value ?? cell.textContent.trim()];
    }));
    const numeric = head.classList.contains("number");
    const before = head.getAttribute("aria-sort"), descending = before ? before === "ascending" : numeric;
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
// <input data-filter="id"> or <select data-filter="id">: shows only those children of the element, or rows of the table, with that id
// whose data-name holds what was entered.
for (const control of document.querySelectorAll("[data-filter]")) {
  const filter = () => {
    const wanted = control.value.trim().toLowerCase();
    for (const item of document.getElementById(control.dataset.filter).querySelectorAll("[data-name]")) {
      item.hidden = !item.dataset.name.toLowerCase().includes(wanted);
    }
  };
  control.addEventListener("input", filter);
  control.addEventListener("change", filter); // all that some browsers send for a <select>
}
