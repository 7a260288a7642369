/**
 * The page of the service: which part of it is shown, and what holds for all of them.
 * @module
 */
import { Deploy } from "./deploy.js";
import { Device, Devices } from "./devices.js";
import { place } from "./format.js";
import { html, render, useEffect, useState } from "./htm.js";
import { Job, Jobs } from "./jobs.js";
import { useAnswer, useService } from "./service.js";

const PARTS = [
  ["devices", "Devices"],
  ["jobs", "Deployments"],
  ["deploy", "Deploy"],
];

/** `#/devices/name?text=…` as part, name and query. */
function readPlace() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [part, ...rest] = path.split("/");
  const name = decodeURIComponent(rest.join("/"));
  const known = PARTS.some(([key]) => key === part);
  return { part: known ? part : "devices", name, query: Object.fromEntries(new URLSearchParams(search)) };
}

function App() {
  const [at, setAt] = useState(readPlace);
  const { status, revision, isLost } = useService();
  useEffect(() => {
    const look = () => {
      // The skip link's target is no place of its own.
      if (location.hash === "#main") document.getElementById("main").focus();
      else setAt(readPlace());
    };
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  const { part, name, query } = at;
  const { data: user } = useAnswer("user", "");
  /** A change of a filter is no step back. */
  const go = (hash) => {
    if (hash.startsWith(`#/${part}`) && !name && !hash.includes(`#/${part}/`))
      history.replaceState(null, "", hash);
    else location.hash = hash;
    setAt(readPlace());
  };
  const props = { query, go, revision, status };
  return html`
    <header>
      <h1>xs-ota</h1>
      <nav aria-label="Parts">
        ${PARTS.map(([key, text]) => html`<a href=${place(key)} aria-current=${key === part ? "page" : undefined}>${text}</a>`)}
      </nav>
    </header>
    ${isLost && html`<p class="banner" role="alert">The service does not answer. Waiting for it to come back …</p>`}
    ${status?.storageProblem && html`<p class="banner" role="alert">The service can store nothing at present: ${status.storageProblem}.</p>`}
    <main id="main" tabindex="-1">
      ${part === "devices" && (name ? html`<${Device} key=${name} name=${name} ...${props} />` : html`<${Devices} ...${props} />`)}
      ${part === "jobs" && (name ? html`<${Job} key=${name} jobId=${name} ...${props} />` : html`<${Jobs} ...${props} />`)}
      ${part === "deploy" && html`<${Deploy} ...${props} />`}
    </main>
    <footer class="quiet">${status && html`<p>Devices connect to <span class="long">${status.mqtt}</span>, images are on <span class="long">${status.http}</span>. The service uses ${Math.round(status.memory.resident / 1_048_576)} MB of memory.</p>`}${user && html`<p>You are ${user.name}${user.role === "read" ? ", and may look" : ""}.</p>`}</footer>
  `;
}

render(html`<${App} />`, document.getElementById("app"));
