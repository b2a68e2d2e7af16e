// Uploads a file and shows its run. Text from workbooks reaches the page only as textContent.

const at = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const LOG_LINES = 200;
const WATCHES_PERIOD = 5000;
const SHOWN = {
  source_opened: (e) => `opened ${e.sheet}: ${e.columns} columns`,
  noticed: (e) => e.message,
  table_created: (e) => `created table ${e.table}`,
  loading_started: (e) => `loading into ${e.table}: ${e.strategy}, ${e.workers} workers`,
  retrying: (e) => `worker ${e.worker} tries again in ${e.seconds.toFixed(1)} s: ${e.error}`,
  worker_failed: (e) => `worker ${e.worker} failed: ${e.error}`,
  resumed: (e) => `going on: ${number.format(e.rows)} rows are done already`,
  already_imported: () => "already imported: nothing is written",
  paused: () => "paused",
  unpaused: () => "goes on",
  stopping: (e) => e.reason,
  indexes_created: (e) => `made ${e.count} indexes`,
  run_finished: (e) => `finished: ${e.outcome}`,
};

let current = null;
let follower = 0; // of several that follow a run, the latest shows it
let watchesTimer;

function headers(more = {}) {
  const token = at("token").value;
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

function say(text) {
  at("said").textContent = text;
}

function row(body, cells) {
  const line = body.insertRow();
  for (const cell of cells) line.insertCell().textContent = cell ?? "";
}

async function explain(response) {
  if (response.status === 401) at("token-row").hidden = false;
  try {
    return (await response.json()).error;
  } catch {
    return `the server answered ${response.status}`;
  }
}

function upload(file, query) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/runs?${query}`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      at("sent").value = event.loaded / event.total;
      at("sent-text").textContent = `${number.format(event.loaded)} of ${number.format(event.total)} bytes`;
    };
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        answer = { error: `the server answered ${request.status}` };
      }
      if (request.status === 202) return resolve(answer);
      if (request.status === 401) at("token-row").hidden = false;
      reject(new Error(answer.error));
    };
    request.onerror = () => reject(new Error("the connection was lost: try again, what is in is not imported twice"));
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

function show(run) {
  current = run.id;
  at("run").hidden = false;
  at("title").textContent = run.table ? `${run.file} → ${run.table}` : run.file;
  at("state").textContent = run.state;
  at("message").textContent = run.error ? `${run.message}: ${run.error}` : run.message;
  at("pause").disabled = run.state !== "running";
  at("unpause").disabled = run.state !== "paused";
  at("resume").disabled = !run.resumable;
  at("stop").disabled = at("abort").disabled = run.state === "ended";
  at("workbook").disabled = !run.rejects_total;
  if (run.stats) {
    counts({ ...run.stats, read: run.stats.total_records, rejected: run.stats.error_count });
    at("rate").textContent = number.format(run.stats.records_per_second);
  }
  if (run.state === "ended" && run.exit_code !== null && run.exit_code <= 3 && !run.error) {
    at("share").value = 1;
    at("share-text").textContent = "100 %";
  }
}

function counts(c) {
  const terms = [`inserted ${number.format(c.inserted)}`];
  for (const word of ["updated", "skipped", "rejected"]) if (c[word]) terms.push(`${word} ${number.format(c[word])}`);
  const inHand = c.read - c.inserted - c.updated - c.skipped - c.rejected;
  if (inHand > 0) terms.push(`in flight ${number.format(inHand)}`);
  at("equation").textContent = `read ${number.format(c.read)} = ${terms.join(" + ")}`;
}

function progress(line) {
  counts(line);
  at("rate").textContent = number.format(Math.round(line.rows_per_second));
  if (line.progress !== null) {
    at("share").value = line.progress;
    at("share-text").textContent = `${Math.floor(line.progress * 100)} %`;
  }
  if (at("state").textContent !== "ended") at("state").textContent = line.paused ? "paused" : "running";
  at("pause").disabled = line.paused;
  at("unpause").disabled = !line.paused;
  const body = at("workers");
  body.replaceChildren();
  for (const w of line.workers) row(body, [w.worker, w.state, w.inserted, w.rejected, w.batches, w.retries].map(String));
}

function log(line) {
  const text = SHOWN[line.event]?.(line);
  if (!text) return;
  const item = document.createElement("li");
  item.textContent = text;
  at("log").append(item);
  while (at("log").childElementCount > LOG_LINES) at("log").firstElementChild.remove();
}

async function rejects(id) {
  const response = await fetch(`/runs/${id}`, { headers: headers() });
  if (!response.ok) return say(await explain(response));
  const body = at("rejects");
  body.replaceChildren();
  for (const r of (await response.json()).rejects) row(body, [r.cell, r.column, r.value, r.reason]);
}

// EventSource cannot send a token, so the stream is read with fetch; after a disconnection it resumes after the last event.
async function follow(id) {
  const mine = ++follower;
  let last = "";
  let wait = 500;
  while (follower === mine) {
    try {
      const response = await fetch(`/runs/${id}/events`, { headers: headers(last ? { "Last-Event-ID": last } : {}) });
      if (response.status === 204) return;
      if (!response.ok) throw new Error(await explain(response));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (follower !== mine) return void reader.cancel();
        if (done) break;
        wait = 500;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").map((text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 2)]));
          if (fields.id) last = fields.id;
          if (!fields.data) continue;
          const line = JSON.parse(fields.data);
          if (fields.event === "run" || fields.event === "end") show(line);
          else if (fields.event === "progress") progress(line);
          else log(line);
          if (fields.event === "end") return await rejects(id);
        }
      }
    } catch (error) {
      say(`${error.message}; trying again`);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 10000);
  }
}

async function order(word) {
  const response = await fetch(`/runs/${current}/${word}`, { method: "POST", headers: headers() });
  if (!response.ok) return say(await explain(response));
  const run = await response.json();
  show(run);
  if (word === "resume" && run.state === "waiting") follow(run.id);
}

async function saveWorkbook() {
  const response = await fetch(`/runs/${current}/rejects?format=xlsx`, { headers: headers() });
  if (!response.ok) return say(await explain(response));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "rejects.xlsx";
  link.click();
  URL.revokeObjectURL(link.href);
}

function clear() {
  for (const id of ["log", "rejects", "workers"]) at(id).replaceChildren();
  at("share").removeAttribute("value");
  at("share-text").textContent = "";
  say("");
}

function open(id) {
  if (current === id) return;
  clear();
  location.hash = current = id;
  follow(id);
}

// The folders that the server watches, if there are any, as long as they may be seen.
async function showWatches() {
  clearTimeout(watchesTimer);
  let seen = false;
  try {
    const response = await fetch("/watches", { headers: headers() });
    if (response.status === 401) return void (at("token-row").hidden = false);
    if (response.ok) {
      const { watches } = await response.json();
      seen = watches.length > 0;
      at("watches").hidden = !seen;
      const body = at("folders");
      body.replaceChildren();
      for (const w of watches) {
        row(body, [w.name, w.state, number.format(w.waiting), number.format(w.done), number.format(w.failed), "", w.last_error]);
        const latest = w.files.find((file) => file.id !== null);
        if (!latest) continue;
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = latest.file;
        button.title = latest.state;
        button.addEventListener("click", () => open(latest.id));
        body.lastElementChild.cells[5].append(button);
      }
    }
  } catch {
    seen = !at("watches").hidden; // the server is away
  }
  if (seen) watchesTimer = setTimeout(showWatches, WATCHES_PERIOD);
}

const pluginFields = () => at("plugin-options").querySelectorAll("input, select");

// A field for one option of a plugin, from its description in the OpenAPI document.
function pluginField({ name, description, schema }) {
  const words = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  const field = document.createElement(words ? "select" : "input");
  if (words) {
    field.add(new Option(schema.default === undefined ? "" : `${schema.default} (default)`, ""));
    for (const word of words) field.add(new Option(word));
  } else {
    field.type = "number";
    field.step = schema.type === "integer" ? 1 : "any";
    for (const [limit, word] of [["min", "minimum"], ["max", "maximum"]]) if (word in schema) field[limit] = schema[word];
    if (schema.default !== undefined) field.placeholder = schema.default;
  }
  field.name = name;
  field.dataset.strategy = schema["x-strategy"] ?? "";
  const label = document.createElement("label");
  label.title = description;
  label.append(`${name} `, field);
  return label;
}

// Only the options of the method that is chosen can be set.
function showPluginFields() {
  for (const field of pluginFields()) {
    field.disabled = field.dataset.strategy !== "" && field.dataset.strategy !== at("method").value;
    field.parentElement.hidden = field.disabled;
  }
}

async function addPluginFields() {
  const response = await fetch("/openapi.json");
  if (!response.ok) return say(await explain(response));
  const { parameters } = (await response.json()).paths["/upload"].post;
  for (const parameter of parameters.filter((each) => each.name.includes("."))) {
    const strategy = parameter.schema["x-strategy"];
    const methods = [...at("method").options].map((option) => option.value);
    if (strategy && !methods.includes(strategy)) at("method").add(new Option(strategy));
    at("plugin-options").append(pluginField(parameter));
  }
  showPluginFields();
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = at("file").files;
  if (!file) return;
  const query = new URLSearchParams();
  for (const name of ["method", "sheet"]) if (at(name).value) query.set(name, at(name).value);
  for (const field of pluginFields()) if (!field.disabled && field.value) query.set(field.name, field.value);
  at("send").disabled = true;
  at("sending").hidden = false;
  clear();
  try {
    const run = await upload(file, query);
    location.hash = run.id;
    show(run);
    follow(run.id);
  } catch (error) {
    say(error.message);
  } finally {
    at("send").disabled = false;
  }
});
for (const word of ["pause", "unpause", "stop", "abort", "resume"]) at(word).addEventListener("click", () => order(word));
at("workbook").addEventListener("click", saveWorkbook);
at("method").addEventListener("change", showPluginFields);
at("token").addEventListener("change", showWatches);
addPluginFields();
showWatches();

// After a reload, the page shows the same run as before.
if (/^#[0-9A-Za-z-]+$/.test(location.hash)) {
  current = location.hash.slice(1);
  follow(current);
}
