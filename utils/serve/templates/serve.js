"use strict";
const list = document.querySelector("#jobs");
const status = document.querySelector("#status");
const items = new Map(); // id of a job -> its list item

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clock(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function item(id, name) {
  let made = items.get(id);
  if (made) return made;
  made = { row: element("li"), said: element("span", "said"), bar: element("progress") };
  made.name = element("span", "name", name);
  made.remove = element("button", "", "Delete");
  made.remove.type = "button";
  made.remove.setAttribute("aria-label", `Delete ${name}`);
  made.bar.setAttribute("aria-label", `Progress of ${name}`);
  made.row.append(made.name, made.remove, made.said, made.bar);
  list.prepend(made.row);
  items.set(id, made);
  return made;
}

function drop(id) {
  const known = items.get(id);
  if (!known) return;
  const next = known.row.nextElementSibling || known.row.previousElementSibling;
  const focused = known.row.contains(document.activeElement);
  known.row.remove();
  items.delete(id);
  if (focused) (next?.querySelector("button") || document.querySelector("#files")).focus();
}

function running(job, said, bar) {
  const at = job.progress;
  const left = at?.seconds_left ? `, ${clock(at.seconds_left)} left` : "";
  said.textContent = at ? `${at.task}: frame ${at.done}${at.total ? ` of ${at.total}` : ""}${left}` : "starting";
  if (at?.total) { bar.max = at.total; bar.value = at.done; } else bar.removeAttribute("value");
}

function show(job) {
  const made = item(job.id, job.name);
  made.job = job;
  const { row, said, bar, remove } = made;
  row.className = job.label || "";
  bar.hidden = job.state !== "running";
  remove.onclick = () => fetch(`/api/jobs/${job.id}`, { method: "DELETE" });
  if (job.state === "running") running(job, said, bar);
  if (job.state === "failed") said.textContent = `No verdict. ${job.error}`;
  if (job.state === "done") {
    const label = element("span", `label ${job.label}`, job.label);
    said.replaceChildren(label, `, score ${job.score.toFixed(2)} (0 real, 1 fake). `);
  }
  if (job.report) {
    const link = element("a", "", job.state === "done" ? "Report" : "Details");
    link.href = job.report;
    link.setAttribute("aria-label", `Report of ${job.name}`);
    said.append(" ", link);
  }
  row.dataset.state = job.state;
}

// How long each waiting job will take to be done, from how long the last ones took.
function estimate() {
  const jobs = [...items.values()].map((one) => one.job).filter(Boolean);
  const took = jobs.filter((job) => job.started && job.finished).map((job) => job.finished - job.started);
  const last = took.slice(-10);
  const mean = last.length ? last.reduce((sum, one) => sum + one, 0) / last.length : null;
  const running = jobs.filter((job) => job.state === "running");
  let left = Math.min(...running.map((job) => job.progress?.seconds_left ?? mean ?? 0), Infinity);
  if (!Number.isFinite(left)) left = 0;
  let before = 0;
  for (const { job, said } of items.values()) {
    if (job?.state !== "queued") continue;
    left += (mean ?? 0) / Math.max(1, running.length);
    said.textContent = `waiting, ${before} before it${mean === null ? "" : `, done in about ${clock(left)}`}`;
    before += 1;
  }
}

function count() {
  estimate();
  const states = [...items.values()].map((one) => one.row.dataset.state);
  const open = states.filter((state) => state !== "done" && state !== "failed").length;
  status.textContent = items.size ? `${items.size - open} of ${items.size} done` : "Nothing here yet.";
}

new EventSource("/api/events").onmessage = (event) => {
  const { all, jobs } = JSON.parse(event.data);
  if (all) { // the connection was new: what was deleted meanwhile goes
    const known = new Set(jobs.map((job) => job.id));
    for (const [id, { job }] of items) if (job && !known.has(id)) drop(id);
  }
  for (const job of jobs) if (job.state === "deleted") drop(job.id); else show(job);
  count();
};

// Files are sent one after another: the first can be looked at while the others are on their way.
const waiting = [];
let sending = false;

function send(file) {
  const { row, said, bar, remove } = item(file.row, file.content.name);
  const request = new XMLHttpRequest();
  request.open("POST", `/api/jobs?name=${encodeURIComponent(file.content.name)}`);
  request.upload.onprogress = (event) => { bar.max = event.total; bar.value = event.loaded; };
  row.dataset.state = "uploading";
  said.textContent = "uploading";
  remove.onclick = () => { request.abort(); drop(file.row); count(); };
  return new Promise((done) => {
    request.onloadend = () => {
      if (request.status === 201) drop(file.row);
      else {
        let why = "The upload was interrupted.";
        try { why = JSON.parse(request.responseText).error; } catch { /* no answer */ }
        said.textContent = why;
        row.dataset.state = "failed";
        bar.hidden = true;
      }
      count();
      done();
    };
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file.content);
  });
}

async function add(files) {
  for (const content of files) {
    const file = { content, row: `upload-${performance.now()}-${waiting.length}` };
    const { row, said, bar, remove } = item(file.row, content.name);
    said.textContent = "waiting to be uploaded";
    row.dataset.state = "uploading";
    bar.value = 0;
    remove.onclick = () => { waiting.splice(waiting.indexOf(file), 1); drop(file.row); count(); };
    waiting.push(file);
  }
  count();
  if (sending) return;
  sending = true;
  while (waiting.length) await send(waiting.shift());
  sending = false;
}

// Of a folder, what no video is is left out, as on the command line.
const isVideo = (file) => file.type.startsWith("video/") || /\.(mkv|ts|mts|m2ts|flv|wmv|avi|mov|webm|gif|webp|txt)$/i.test(file.name);

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found.filter(isVideo);
    for (const one of some) found.push(...await filesOf(one));
  }
}

for (const id of ["files", "folder"]) {
  const picker = document.querySelector(`#${id}`);
  picker.addEventListener("change", () => {
    const chosen = [...picker.files];
    add(id === "folder" ? chosen.filter(isVideo) : chosen);
    picker.value = "";
  });
}
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...event.dataTransfer.files];
  if (!entries.length) { add(plain); return; }
  for (const entry of entries) add(await filesOf(entry));
});
