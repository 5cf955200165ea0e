"use strict";
// What is folded on the screen is printed.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

// The video: what is clicked is shown in it, and where it is is shown in the timelines.
const video = document.querySelector("video");
const seek = (seconds) => {
  if (!video) return;
  video.currentTime = Math.min(seconds, video.duration || seconds);
  video.scrollIntoView({ block: "nearest" });
};
for (const button of document.querySelectorAll(".seek")) {
  if (!video) button.disabled = true;
  button.addEventListener("click", () => seek(Number(button.dataset.time)));
}

// The timeline: what the pointer or the keyboard is on is told below it; arrows go from clip to clip.
for (const timeline of document.querySelectorAll(".timeline")) {
  const told = timeline.querySelector("output");
  if (!told) continue;
  const clips = [...timeline.querySelectorAll(".clip")];
  const tell = (clip) => { told.textContent = clip ? clip.getAttribute("aria-label") : ""; };
  clips.forEach((clip, index) => {
    clip.addEventListener("pointerenter", () => tell(clip));
    clip.addEventListener("focus", () => tell(clip));
    clip.addEventListener("click", () => seek(Number(clip.dataset.start)));
    clip.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        event.stopPropagation();
        seek(Number(clip.dataset.start));
      }
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

if (video) {
  const canvas = document.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const box = document.querySelector("#landmarks");
  const overlay = JSON.parse(document.querySelector("#overlay").textContent);
  const faces = overlay.faces.map(({ times, points }) => {
    const bytes = Uint8Array.from(atob(points), (letter) => letter.charCodeAt(0));
    return { times, points: new Uint16Array(bytes.buffer) };
  });
  const clips = [...document.querySelectorAll(".clip")].map((clip) => clip.dataset);

  // The last time that is not later, of times that grow; -1 where there is none.
  const at = (times, moment) => {
    let low = -1;
    let high = times.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= moment) low = middle; else high = middle;
    }
    return low;
  };
  const draw = () => {
    const now = video.currentTime;
    for (const line of document.querySelectorAll(".playhead")) {
      const place = (1000 * now) / Number(line.ownerSVGElement.dataset.seconds);
      line.setAttribute("x1", place);
      line.setAttribute("x2", place);
    }
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!box.checked) return;
    const clip = clips.find((one) => one.start <= now && now < one.end);
    pen.fillStyle = clip ? clip.colour : "#828282";
    for (const { times, points } of faces) {
      const index = at(times, 1000 * now + 5);
      if (index < 0 || 1000 * now - times[index] > 300) continue;
      for (let point = 136 * index; point < 136 * (index + 1); point += 2) {
        pen.beginPath();
        pen.arc(points[point] / overlay.units, points[point + 1] / overlay.units, 1.5, 0, 7);
        pen.fill();
      }
    }
  };
  const follow = () => {
    draw();
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "pause", "seeked", "loadeddata", "timeupdate"]) {
    video.addEventListener(name, name === "play" ? follow : draw);
  }
  box.addEventListener("input", draw);

  // Keys as in players, unless they belong to what is in focus.
  const frame = 1 / 25;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, button, summary, video, a, .clip")) return;
    const moves = { j: -10, l: 10, ArrowLeft: -5, ArrowRight: 5, ",": -frame, ".": frame };
    if (event.key === " " || event.key === "k") {
      if (video.paused) video.play(); else video.pause();
    } else if (event.key in moves) video.currentTime += moves[event.key];
    else if (/^[0-9]$/.test(event.key)) video.currentTime = (video.duration * event.key) / 10;
    else return;
    event.preventDefault();
  });
}

const copy = document.querySelector("#copy");
if (copy) {
  const summary = document.querySelector("#summary");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(summary.textContent);
    } catch { // not allowed here: select it and copy as of old
      getSelection().selectAllChildren(summary);
      document.execCommand("copy");
    }
    document.querySelector("#copied").textContent = "Copied.";
  });
}

// The index: sorted by any column, filtered by label and by name; of thousands of rows a part is shown.
const table = document.querySelector("#videos");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const count = document.querySelector("#count");
  const search = document.querySelector("#search");
  const boxes = [...document.querySelectorAll(".tools input[type=checkbox]")];
  const more = document.querySelector("#more");
  let most = 500;
  const filter = () => {
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const part = search.value.toLowerCase();
    const found = rows.filter((row) => wanted.has(row.dataset.label)
      && row.dataset.name.toLowerCase().includes(part));
    body.replaceChildren(...found.slice(0, most));
    more.hidden = found.length <= most;
    more.textContent = `Show all ${found.length}`;
    count.textContent = `${found.length} of ${rows.length} videos`;
  };
  const showAll = () => {
    most = Infinity;
    filter();
  };
  more.addEventListener("click", showAll);
  addEventListener("beforeprint", showAll);
  for (const control of [...boxes, search]) control.addEventListener("input", filter);
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = head.classList.contains("number");
      const { compare: text } = new Intl.Collator();
      const keyed = rows.map((row) => [row.cells[head.cellIndex].dataset.value, row]);
      keyed.sort(([a], [b]) => (down ? -1 : 1) * (numeric ? a - b : text(a, b)));
      rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
      filter();
    });
  }
  filter();
}
