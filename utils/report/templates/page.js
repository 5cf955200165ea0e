"use strict";
// What is folded on the screen is printed.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
// The timeline: what the pointer or the keyboard is on is told below it; arrows go from clip to clip.
for (const timeline of document.querySelectorAll(".timeline")) {
  const told = timeline.querySelector("output");
  const clips = [...timeline.querySelectorAll(".clip")];
  const tell = (clip) => { told.textContent = clip ? clip.getAttribute("aria-label") : ""; };
  clips.forEach((clip, index) => {
    clip.addEventListener("pointerenter", () => tell(clip));
    clip.addEventListener("focus", () => tell(clip));
    clip.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -index, End: clips.length - 1 - index };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = clips[Math.min(clips.length - 1, Math.max(0, index + steps[event.key]))];
      clip.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  });
  timeline.addEventListener("pointerleave", () => tell(null));
}
// The index: sorted by any column, filtered by label and by name.
const table = document.querySelector("#videos");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const count = document.querySelector("#count");
  const search = document.querySelector("#search");
  const boxes = [...document.querySelectorAll(".tools input[type=checkbox]")];
  const filter = () => {
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const part = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !wanted.has(row.dataset.label) || !row.dataset.name.toLowerCase().includes(part);
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} videos`;
  };
  for (const control of [...boxes, search]) control.addEventListener("input", filter);
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      const numeric = head.classList.contains("number");
      const compare = (a, b) => numeric ? value(a) - value(b) : value(a).localeCompare(value(b));
      rows.sort((a, b) => (down ? -1 : 1) * compare(a, b));
      body.append(...rows);
    });
  }
  filter();
}
