/**
 * The list of deployments, and the page of one.
 * @module
 */
import { Facts } from "./devices.js";
import { grouped, moment, Phase, Phases, phasesText, place, plural, titleOf } from "./format.js";
import { html, useState } from "./htm.js";
import { Table } from "./list.js";
import { ask, useAnswer } from "./service.js";

const HEADS = [
  { name: "Image", className: "image" },
  { name: "Made", className: "made" },
  { name: "Status", className: "version" },
  { name: "Devices" },
];

export function Jobs({ query, go, revision }) {
  const [window, setWindow] = useState({ offset: 0, limit: 40 });
  const { data, error } = useAnswer(`jobs?${new URLSearchParams({ ...query, ...window })}`, revision);
  if (!data) return html`<p class="quiet">${error ?? "…"}</p>`;
  const { total, matching, rows } = data;
  if (total === 0) return html`<h2>Deployments</h2><p class="quiet">None yet.</p>`;
  return html`
    <h2>Deployments <span class="quiet">${matching === total ? grouped(total) : `${grouped(matching)} of ${grouped(total)}`}</span></h2>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label>Show <input type="search" placeholder="version, project, status, group or id" value=${query.text ?? ""} onInput=${({ target }) => go(place("jobs", { text: target.value }))} /></label>
    </form>
    ${
      matching === 0
        ? html`<p class="quiet">No deployment is like that.</p>`
        : html`
      <${Table}
        label="Deployments" heads=${HEADS} total=${matching} rows=${rows} offset=${window.offset}
        onWindow=${(offset, limit) => (offset !== window.offset || limit !== window.limit) && setWindow({ offset, limit })}
        row=${(job, index) => html`<${Row} key=${job.jobId} job=${job} index=${index} />`}
      />`
    }
  `;
}

function Row({ job, index }) {
  const { jobId, createdAt, phases, waiting, ended, progress } = job;
  return html`
    <tr aria-rowindex=${index} data-job=${jobId}>
      <th scope="row"><a href=${place(`jobs/${jobId}`)} title=${jobId}>${titleOf(job)}</a></th>
      <td class="made">${moment(createdAt)}</td>
      <td class="version">${statusText(job)}</td>
      <td class="update" title=${phasesText(phases, waiting)}>
        ${!ended && html`<progress max="1" value=${progress} aria-label="Progress of ${titleOf(job)}" />${" "}`}
        <${Phases} phases=${phases} waiting=${waiting} />
      </td>
    </tr>
  `;
}

function statusText({ status, paused, ended }) {
  if (paused) return "paused";
  return status === "IN_PROGRESS" && !ended ? "in progress" : status.toLowerCase().replace("_", " ");
}

export function Job({ jobId, go, revision }) {
  const { data, error } = useAnswer(`jobs/${jobId}?brief=1`, revision);
  const [problem, setProblem] = useState("");
  if (!data) return html`<h2>${jobId}</h2><p class="quiet">${error ?? "…"}</p>`;
  const { job, executions, reasons } = data;
  const { image, status, paused, stage, phases, waiting, things } = job;
  const isOpen = status === "IN_PROGRESS" || status === "SCHEDULED";
  const act = (question, method, path, then = () => {}) => {
    if (question && !confirm(question)) return;
    ask(method, path).then(then, ({ message }) => setProblem(message));
  };
  const facts = [
    ["File", image?.fileName],
    ["Chip", image?.chip],
    ["Size", image && `${grouped(image.size)} bytes`],
    [
      "Files",
      job.files &&
        html`<ul class="lines">${job.files.map(({ type, path, size }) => html`<li>${path} (type ${type}): ${grouped(size)} bytes</li>`)}</ul>`,
    ],
    ["Transfer", job.protocols.join(" or ")],
    ["Groups", job.groups?.join(", ")],
    [
      "Targets",
      `${plural(things, "device")}${job.targetSelection === "CONTINUOUS" ? ", and those that join" : ""}`,
    ],
    [
      "Stage",
      stage &&
        `${stage.stage} of ${stage.stages}${waiting > 0 ? `, ${plural(waiting, "device")} ${waiting === 1 ? "waits" : "wait"}` : ""}`,
    ],
    [
      "Stops at",
      job.abort
        ?.map(
          ({ failureType, thresholdPercentage, minNumberOfExecutedThings }) =>
            `${thresholdPercentage} % ${failureType === "ALL" ? "failures" : failureType} of at least ${minNumberOfExecutedThings}`,
        )
        .join(", "),
    ],
    ["Why", job.description],
  ];
  return html`
    <p><a href=${place("jobs")}>All deployments</a></p>
    <h2 class="long">${titleOf(job)} <span class="quiet">${statusText(job)}, <time>${moment(job.createdAt)}</time></span></h2>
    ${job.held && html`<p class="note" role="status">${job.held}.</p>`}
    <p><${Phases} phases=${phases} waiting=${waiting} /></p>
    <${Shares} phases=${phases} waiting=${waiting} total=${things} />
    <${Facts} facts=${facts} />
    <div class="buttons">
      ${isOpen && !paused && html`<button type="button" onClick=${() => act("", "POST", `jobs/${jobId}/pause`)}>Pause</button>`}
      ${isOpen && paused && html`<button type="button" onClick=${() => act("", "POST", `jobs/${jobId}/resume`)}>Resume</button>`}
      ${isOpen && html`<button type="button" onClick=${() => act("Cancel this job, also on devices that are at it?", "POST", `jobs/${jobId}/cancel`)}>Abort</button>`}
      ${!isOpen && html`<button type="button" onClick=${() => act("Forget this job and its history?", "DELETE", `jobs/${jobId}`, () => go(place("jobs")))}>Delete</button>`}
    </div>
    <p role="alert" class="phase bad">${problem}</p>
    ${
      reasons.length > 0 &&
      html`
      <h3>Why it failed</h3>
      <ul class="reasons">${reasons.map(([text, count]) => html`<li key=${text}><strong>${count}</strong> ${text}</li>`)}</ul>
      <p><a href=${place("devices", { failedIn: jobId })}>Show these devices</a></p>`
    }
    <h3>Devices</h3>
    <ul class="executions">
      ${executions.map(
        ({ thingName, attempt, phase, text }) => html`
        <li key=${`${thingName} ${attempt}`} data-thing=${thingName}>
          <a class="long" href=${place(`devices/${encodeURIComponent(thingName)}`)}>${thingName}</a>
          ${attempt > 1 ? ` attempt ${attempt} ` : " "}<${Phase} phase=${phase} /> ${text}
        </li>`,
      )}
    </ul>
    ${executions.length < things - waiting && html`<p class="quiet">… and ${things - waiting - executions.length} more.</p>`}
  `;
}

/** One bar with a part for each outcome. */
function Shares({ phases, waiting, total }) {
  const sum = (names) => names.reduce((count, name) => count + (phases[name] ?? 0), 0);
  const parts = [
    ["good", sum(["accepted"])],
    ["bad", sum(["failed", "refused", "rolled back", "timed out"])],
    ["warn", sum(["cancelled", "removed"])],
    [
      "open",
      total -
        waiting -
        sum(["accepted", "failed", "refused", "rolled back", "timed out", "cancelled", "removed"]),
    ],
  ];
  return html`
    <div class="shares" aria-hidden="true">
      ${parts.map(([name, count]) => count > 0 && html`<span class=${name} style=${{ flexGrow: count }} />`)}
      ${waiting > 0 && html`<span style=${{ flexGrow: waiting }} />`}
    </div>
  `;
}
