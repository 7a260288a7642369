/**
 * The page of the development service.
 * @module
 */
import { ask, State } from "./state.js";
import {
  historyElements,
  inspectionElements,
  make,
  makeDeviceRow,
  makeJobItem,
  reconcile,
  setText,
  updateDeviceRow,
  updateJobItem,
} from "./view.js";

/** From this many devices on there is a filter. */
const FILTER_FROM = 10;

const $ = (id) => document.getElementById(id);
const state = new State();
const form = $("deploy");
/** What is deployed: `{ body }` for a file of the person's, `{ image }` for one in the folder. */
let chosen;
/** Counts choices, so that an answer to an earlier one is not taken for the latest. */
let choice = 0;

const actions = {
  history: showHistory,
  cancel: (jobId) => change("Cancel this job on all devices?", "POST", `api/jobs/${jobId}/cancel`),
  remove: (jobId) => change("Forget this job and its history?", "DELETE", `api/jobs/${jobId}`),
};

state.addEventListener("reset", () => {
  $("lost").hidden = true;
  const { mqtt, http, certificate, memory } = state.status;
  setText($("service"), `devices connect to ${mqtt}, images are on ${http}`);
  const signing = certificate
    ? ""
    : "There is no signing key: start xs-ota serve with --key to deploy from here. ";
  setText($("footer"), `${signing}The service uses ${Math.round(memory.resident / 1_048_576)} MB of memory.`);
  render();
  loadFolder();
});
state.addEventListener("change", ({ detail }) => {
  render();
  announce(detail.executions);
});
state.addEventListener("status", () => {
  const { storageProblem } = state.status;
  $("storage").hidden = !storageProblem;
  setText($("storage"), storageProblem ? `The service can store nothing at present: ${storageProblem}.` : "");
});
state.addEventListener("lost", () => {
  $("lost").hidden = false;
});

function render() {
  renderDevices();
  renderJobs();
  renderTargets();
  updateButton();
}

function renderDevices() {
  const devices = [...state.devices.values()].sort((a, b) => a.thingName.localeCompare(b.thingName));
  const wanted = $("filter").value.trim().toLowerCase();
  const shown = devices.filter(({ thingName, firmware, update }) =>
    `${thingName} ${firmware.version ?? ""} ${update?.phase ?? ""}`.toLowerCase().includes(wanted),
  );
  setText(
    $("device-count"),
    shown.length === devices.length ? String(devices.length || "") : `${shown.length} of ${devices.length}`,
  );
  $("filter-field").hidden = devices.length < FILTER_FROM;
  $("no-devices").hidden = devices.length > 0;
  $("device-table").hidden = devices.length === 0;
  reconcile(
    document.querySelector("#device-table tbody"),
    shown,
    (device) => device.thingName,
    makeDeviceRow,
    updateDeviceRow,
  );
}

function renderJobs() {
  const jobs = [...state.jobs.values()].sort((a, b) => b.createdAt - a.createdAt);
  $("no-jobs").hidden = jobs.length > 0;
  reconcile(
    $("job-list"),
    jobs,
    (job) => job.jobId,
    (job) => makeJobItem(job, actions),
    (item, job) => updateJobItem(item, job, state.latest(job.jobId)),
  );
}

function renderTargets() {
  const names = [...state.devices.keys()].sort((a, b) => a.localeCompare(b));
  const create = (name) =>
    make("label", {}, make("input", { type: "checkbox", name: "thing", value: name }), ` ${name}`);
  reconcile(
    $("targets"),
    names,
    (name) => name,
    create,
    () => {},
  );
  const some = form.elements.target.value === "some";
  for (const box of $("targets").querySelectorAll("input")) box.disabled = !some;
}

function targets() {
  if (form.elements.target.value === "all") return state.devices.size > 0 ? ["all"] : [];
  return [...$("targets").querySelectorAll("input:checked")].map((box) => box.value);
}

function updateButton() {
  form.querySelector("button").disabled = !chosen || targets().length === 0 || !state.status?.certificate;
}

/** Tells screen readers what a sighted person sees. */
function announce(executions) {
  for (const { thingName, phase, text } of executions) {
    if (phase === "downloading" || phase === "offered" || phase === "started") continue;
    $("news").textContent = `${thingName}: ${phase}, ${text}`;
  }
}

async function choose(next, inspect) {
  const number = ++choice;
  chosen = undefined;
  updateButton();
  const facts = $("inspection");
  facts.hidden = true;
  say("");
  if (!next) return;
  try {
    const inspection = await inspect();
    if (number !== choice) return;
    facts.replaceChildren(...inspectionElements(inspection));
    facts.hidden = false;
    chosen = next;
  } catch (error) {
    if (number === choice) say(error.message, true);
  }
  updateButton();
}

async function loadFolder() {
  const images = await ask("GET", "api/images").catch(() => []);
  $("folder-field").hidden = images.length === 0;
  const options = images.map(({ name, inspection, problem }) =>
    make("option", {
      value: name,
      disabled: Boolean(problem),
      textContent: `${name}: ${problem ?? [inspection.app?.projectName, inspection.app?.version].join(" ")}`,
    }),
  );
  const before = $("folder").value;
  $("folder").replaceChildren(make("option", { value: "", textContent: "choose …" }), ...options);
  $("folder").value = before;
}

async function deploy() {
  const query = new URLSearchParams({ name: chosen.name });
  if (chosen.image) query.set("image", chosen.image);
  for (const protocol of $("protocol").value.split(" ")) query.append("protocol", protocol);
  if (form.elements.target.value === "all") query.set("all", "1");
  else for (const name of targets()) query.append("thing", name);
  const job = await ask("POST", `api/jobs?${query}`, chosen.body);
  say(`Deployed to ${job.things} device${job.things === 1 ? "" : "s"}.`);
}

async function showHistory(jobId) {
  try {
    const details = await ask("GET", `api/jobs/${jobId}`);
    const { image } = details.job;
    setText($("history-title"), image?.version ? `${image.project} ${image.version}` : jobId);
    $("history-body").replaceChildren(...historyElements(details));
    $("history").showModal();
  } catch (error) {
    say(error.message, true);
  }
}

async function change(question, method, path) {
  if (!confirm(question)) return;
  try {
    await ask(method, path);
  } catch (error) {
    say(error.message, true);
  }
}

function say(text, isError = false) {
  const place = $("deploy-result");
  place.className = isError ? "phase bad" : "phase good";
  setText(place, text);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  deploy()
    .catch((error) => say(error.message, true))
    .finally(updateButton);
});
form.addEventListener("change", () => {
  renderTargets();
  updateButton();
});
$("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  $("folder").value = "";
  choose(file && { body: file, name: file.name }, () => ask("POST", "api/inspect", file));
});
$("folder").addEventListener("change", ({ target }) => {
  const name = target.value;
  $("file").value = "";
  choose(name && { image: name, name }, () => ask("POST", `api/inspect?image=${encodeURIComponent(name)}`));
});
$("folder").addEventListener("focus", loadFolder);
$("filter").addEventListener("input", renderDevices);

state.listen();
