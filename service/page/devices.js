/**
 * The list of devices with the distribution of versions, and the page of one device.
 * @module
 */
import { clock, grouped, moment, Phase, place, plural, titleOf } from "./format.js";
import { html, useState } from "./htm.js";
import { Table } from "./list.js";
import { ask, useAnswer } from "./service.js";

const HEADS = [
  { name: "Device", sort: "name" },
  { name: "Version", sort: "version", className: "version" },
  { name: "Groups", className: "groups" },
  { name: "Update", sort: "state" },
];
const STATES = ["online", "offline", "bad", "offered", "downloading", "testing", "accepted", "rolled back"];
STATES.push("refused", "failed", "timed out", "cancelled", "none");
const STATE_NAMES = { bad: "any failure", none: "no update" };
/** Bars of the chart. */
const BARS = 8;

export function Devices({ query, go, revision }) {
  const [window, setWindow] = useState({ offset: 0, limit: 40 });
  const set = (change) => go(place("devices", { ...query, ...change }));
  const sort = { by: query.sort ?? "name", down: Boolean(query.desc) };
  const search = new URLSearchParams({ ...query, ...window });
  const { data, error } = useAnswer(`devices?${search}`, revision);
  if (!data) return html`<p class="quiet">${error ?? "…"}</p>`;
  const { total, matching, rows, versions, groups, online } = data;
  if (total === 0)
    return html`
      <h2>Devices</h2>
      <p class="quiet">None has been heard of yet. Start one with <code>xs-ota device</code>.</p>
    `;
  return html`
    <h2>Devices <span class="quiet">${matching === total ? plural(total, "device") : `${grouped(matching)} of ${grouped(total)}`}, ${grouped(online)} connected</span></h2>
    <${Chart} versions=${versions} total=${total} chosen=${query.version} onChoose=${(version) => set({ version })} />
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label>Show <input type="search" placeholder="name, version, state or group" value=${query.text ?? ""} onInput=${({ target }) => set({ text: target.value })} /></label>
      <label>State <${Choice} value=${query.state} options=${STATES.map((state) => [state, STATE_NAMES[state] ?? state])} onChoose=${(state) => set({ state })} /></label>
      ${groups.length > 0 && html`<label>Group <${Choice} value=${query.group} options=${groups.map(([group, count]) => [group, `${group} (${count})`])} onChoose=${(group) => set({ group })} /></label>`}
      ${query.failedIn && html`<button type="button" onClick=${() => set({ failedIn: "" })}>Not only those that failed in ${query.failedIn.slice(-8)}</button>`}
    </form>
    ${
      matching === 0
        ? html`<p class="quiet">No device is like that.</p>`
        : html`
      <${Table}
        label="Devices" heads=${HEADS} total=${matching} rows=${rows} offset=${window.offset}
        onWindow=${(offset, limit) => (offset !== window.offset || limit !== window.limit) && setWindow({ offset, limit })}
        sort=${sort}
        onSort=${(by) => set({ sort: by, desc: sort.by === by && !sort.down ? "1" : "" })}
        row=${(device, index) => html`<${Row} key=${device.thingName} device=${device} index=${index} />`}
      />`
    }
  `;
}

function Row({ device, index }) {
  const { thingName, label, connected, lastSeen, firmware, groups, update } = device;
  const title = connectionText(connected, lastSeen);
  return html`
    <tr aria-rowindex=${index} data-thing=${thingName}>
      <th scope="row"><span class="dot ${connected ? "on" : ""}" role="img" aria-label=${title} title=${title} /><a href=${place(`devices/${encodeURIComponent(thingName)}`)} title=${thingName}>${label || thingName}</a></th>
      <td class="version" title=${[firmware.project, firmware.chip, firmware.slot].filter(Boolean).join(", ")}>${firmware.version ?? "unknown"}</td>
      <td class="groups" title=${groups.join(", ")}>${groups.join(", ")}</td>
      <td class="update" title=${update?.text}><${Update} update=${update} name=${thingName} /></td>
    </tr>
  `;
}

function Update({ update, name }) {
  if (!update) return null;
  const { phase, text, attempt, progress, ended } = update;
  return html`
    <${Phase} phase=${phase} />${" "}<span class="text">${text}${attempt > 1 ? ` (attempt ${attempt})` : ""}</span>
    ${!ended && phase !== "offered" && html`<progress max="1" value=${progress} aria-label="Download of ${name}" />`}
  `;
}

function Choice({ value = "", options, onChoose }) {
  return html`
    <select value=${value} onChange=${({ target }) => onChoose(target.value)}>
      <option value="">any</option>
      ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
    </select>
  `;
}

/** How many devices run which version; a bar shows those alone. */
function Chart({ versions, total, chosen, onChoose }) {
  const shown = versions.slice(0, BARS);
  const rest = total - shown.reduce((sum, [, count]) => sum + count, 0);
  return html`
    <ul class="chart" aria-label="Versions">
      ${shown.map(
        ([version, count]) => html`
          <li key=${version}>
            <button type="button" aria-pressed=${version === chosen} title=${version} onClick=${() => onChoose(version === chosen ? "" : version)}>
              <span class="name">${version}</span>
              <meter min="0" max=${total} value=${count} aria-label="Devices that run ${version}" />
              <span class="count">${grouped(count)}, ${Math.round((count * 100) / total)} %</span>
            </button>
          </li>
        `,
      )}
      ${rest > 0 && html`<li class="quiet">${grouped(rest)} run others</li>`}
    </ul>
  `;
}

function connectionText(connected, lastSeen) {
  const seen = lastSeen === undefined ? "never heard of" : `last heard of at ${clock(lastSeen)}`;
  if (connected === undefined) return seen;
  return connected ? "connected" : `not connected, ${seen}`;
}

export function Device({ name, go, revision }) {
  const { data, error } = useAnswer(`devices/${encodeURIComponent(name)}`, revision);
  const [problem, setProblem] = useState("");
  if (!data) return html`<h2>${name}</h2><p class="quiet">${error ?? "…"}</p>`;
  const { device, executions } = data;
  const { label, groups, firmware, connected, lastSeen } = device;
  const path = `devices/${encodeURIComponent(name)}`;
  const run = (action) =>
    action().then(
      () => setProblem(""),
      ({ message }) => setProblem(message),
    );
  const save = (event) => {
    event.preventDefault();
    const { label, groups } = event.target.elements;
    const names = groups.value.split(/[\s,]+/).filter(Boolean);
    run(() => ask("PATCH", path, JSON.stringify({ label: label.value.trim(), groups: names })));
  };
  const forget = () => {
    if (confirm(`Forget ${name} and what happened on it?`))
      run(() => ask("DELETE", path).then(() => go(place("devices"))));
  };
  const facts = [
    ["Connection", connectionText(connected, lastSeen)],
    ["Project", firmware.project],
    ["Version", firmware.version],
    ["Chip", firmware.chip],
    ["Slot", [firmware.slot, firmware.state].filter(Boolean).join(", ")],
  ];
  return html`
    <p><a href=${place("devices")}>All devices</a></p>
    <h2 class="long">${label || name} ${label && html`<span class="quiet">${name}</span>`}</h2>
    <${Facts} facts=${facts} />
    <form class="edit" onSubmit=${save}>
      <label>Name <input name="label" maxlength="128" value=${label ?? ""} /></label>
      <label>Groups <input name="groups" value=${groups.join(", ")} /></label>
      <button type="submit">Save</button>
      <a class="button" href=${place("deploy", { thing: name })}>Deploy to it</a>
      <button type="button" onClick=${forget}>Forget</button>
    </form>
    <p role="alert" class="phase bad">${problem}</p>
    <h3>What happened</h3>
    ${executions.length === 0 && html`<p class="quiet">No update yet.</p>`}
    ${executions.map((execution) => html`<${Execution} key=${`${execution.jobId} ${execution.attempt}`} execution=${execution} title=${titleOf(execution)} />`)}
  `;
}

export function Facts({ facts }) {
  const known = facts.filter(([, value]) => value !== undefined && value !== "");
  return html`<dl class="facts">${known.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** What happened with one update, and what the device said last. */
export function Execution({ execution, title, href }) {
  const { attempt, phase, text, history, queuedAt, ended } = execution;
  const facts = history?.at(-1)?.facts ?? [];
  return html`
    <details class="execution" open=${!ended || ["failed", "rolled back", "refused"].includes(phase)}>
      <summary><strong class="long">${title}</strong>${attempt > 1 ? `, attempt ${attempt}` : ""} <${Phase} phase=${phase} /> <time class="quiet">${moment(queuedAt)}</time></summary>
      <p>${text} ${href && html`<a href=${href}>more</a>`}</p>
      ${facts.length > 0 && html`<${Facts} facts=${facts.map(([name, lines]) => [name, lines.length > 1 ? html`<ul class="lines">${lines.map((line) => html`<li>${line}</li>`)}</ul>` : lines[0]])} />`}
      <ol>
        ${(history ?? []).map((entry) => html`<li><time>${clock(entry.at)}</time> <${Phase} phase=${entry.phase} /> ${entry.text}</li>`)}
      </ol>
    </details>
  `;
}
