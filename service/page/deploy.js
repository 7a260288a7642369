/**
 * The form that deploys: it shows what an image is, whom it would touch, and what stands against it.
 * @module
 */
import { Facts } from "./devices.js";
import { grouped, place, plural } from "./format.js";
import { html, useEffect, useState } from "./htm.js";
import { announce, ask } from "./service.js";

export function Deploy({ query, go, status }) {
  /** `{ body, name }` for a file of the person's, `{ image, name }` for one in the folder. */
  const [chosen, setChosen] = useState();
  const [inspection, setInspection] = useState();
  const [images, setImages] = useState([]);
  const [target, setTarget] = useState(query.thing ? "some" : "all");
  const [preview, setPreview] = useState();
  const [problem, setProblem] = useState("");
  const [anyway, setAnyway] = useState(false);
  /** Files of the person's that devices run. */
  const [bases, setBases] = useState([]);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    ask("GET", "images").then(setImages, () => setImages([]));
  }, []);

  const choose = async (next) => {
    setChosen(undefined);
    setInspection(undefined);
    setPreview(undefined);
    setProblem("");
    if (!next) return;
    try {
      const image = next.image ? `?image=${encodeURIComponent(next.image)}` : "";
      setInspection(await ask("POST", `inspect${image}`, next.body));
      setChosen(next);
    } catch (error) {
      setProblem(error.message);
    }
  };
  const refusal = inspection && (inspection.problem ?? inspection.refusal);
  const isReady = chosen && !refusal && status?.certificate && !isBusy;

  const send = async (path, form) => {
    const asked = readForm(form, chosen, target);
    for (const { size, name } of bases) asked.append("base", `${size}:${name}`);
    const parts = [chosen.body, ...bases].filter(Boolean);
    setBusy(true);
    try {
      return await ask("POST", `${path}?${asked}`, parts.length > 0 ? new Blob(parts) : undefined);
    } finally {
      setBusy(false);
    }
  };
  const check = async (form) => {
    setProblem("");
    setAnyway(false);
    try {
      setPreview(await send("preview", form));
    } catch (error) {
      setPreview(undefined);
      setProblem(error.message);
    }
  };
  const submit = async (event) => {
    event.preventDefault();
    if (!preview) return await check(event.target);
    try {
      const job = await send("jobs", event.target);
      announce(`Deployed to ${plural(job.things, "device")}.`);
      go(place(`jobs/${job.jobId}`));
    } catch (error) {
      setProblem(error.message);
    }
  };
  const needsConsent = preview?.warnings.length > 0 && !anyway;
  return html`
    <h2>Deploy</h2>
    ${status && !status.certificate && html`<p class="note">There is no signing key: start xs-ota serve with --key to deploy from here.</p>`}
    <form class="deploy" onSubmit=${submit} onInput=${() => setPreview(undefined)}>
      <label>Image <input type="file" accept=".bin,application/octet-stream" onChange=${({ target: { files } }) => choose(files[0] && { body: files[0], name: files[0].name })} /></label>
      ${
        images.length > 0 &&
        html`
        <label>or from the folder
          <select id="folder" onChange=${({ target: { value } }) => choose(value && { image: value, name: value })}>
            <option value="">choose …</option>
            ${images.map(({ name, inspection, problem }) => html`<option value=${name} disabled=${Boolean(problem)}>${name}: ${problem ?? [inspection.app?.projectName, inspection.app?.version].join(" ")}</option>`)}
          </select>
        </label>`
      }
      ${inspection && html`<${Inspection} inspection=${inspection} />`}
      <fieldset>
        <legend>Devices</legend>
        ${[
          ["all", "all that are known"],
          ["group", "those of groups"],
          ["some", "these"],
        ].map(
          ([value, text]) => html`
          <label class="line"><input type="radio" name="target" value=${value} checked=${target === value} onChange=${() => setTarget(value)} /> ${text}</label>`,
        )}
        ${target === "group" && html`<label>Groups <input name="groups" placeholder="lab, beta" required /></label>`}
        ${target === "some" && html`<label>Names <input name="things" defaultValue=${query.thing ?? ""} placeholder="board-1, board-2" required /></label>`}
      </fieldset>
      <label>Transfer
        <select name="protocol">
          <option value="MQTT">MQTT file stream</option>
          <option value="HTTP">HTTP</option>
          <option value="HTTP MQTT">what the device prefers</option>
        </select>
      </label>
      <details>
        <summary>Smaller files</summary>
        <p class="quiet">For devices that take them: a delta is made of each image below, for those that run it. It takes a while.</p>
        ${images
          .filter(({ name, problem }) => !problem && name !== chosen?.image)
          .map(
            ({ name, inspection }) => html`
          <label class="line" key=${name}><input type="checkbox" name="from" value=${name} /> from ${name}: ${[inspection.app?.projectName, inspection.app?.version].join(" ")}</label>`,
          )}
        <label>From files <input type="file" multiple accept=".bin,application/octet-stream" onChange=${({ target: { files } }) => setBases([...files])} /></label>
        <label class="line"><input type="checkbox" name="packed" /> the image compressed</label>
      </details>
      <details>
        <summary>Stages, rate and stops</summary>
        <label>Stages <input name="stages" placeholder="5, 10%, 50%" /></label>
        <label>Succeeded in a stage, % <input name="success" type="number" min="0" max="100" placeholder="100" /></label>
        <label>Devices a minute <input name="rate" type="number" min="1" max="1000" /></label>
        <label>Stop at, % failed <input name="abort" type="number" min="0.01" max="100" step="0.01" /></label>
        <label>once so many have ended <input name="least" type="number" min="1" placeholder="1" /></label>
        <label>Retries <input name="retries" type="number" min="0" max="10" /></label>
        <label>What it is for <input name="description" maxlength="500" /></label>
      </details>
      ${preview && html`<${Preview} preview=${preview} anyway=${anyway} onAnyway=${setAnyway} />`}
      <button type="submit" class="main" disabled=${!isReady || needsConsent}>${isBusy ? "One moment …" : preview ? `Deploy to ${plural(preview.things.length, "device")}` : "Check"}</button>
      <p role="alert" class="phase bad">${problem}</p>
    </form>
  `;
}

function Preview({ preview: { things, offline, warnings, size, payloads }, anyway, onAnyway }) {
  return html`
    <div class="note" role="status">
      <p>It touches ${plural(things.length, "device")}: <span class="long">${things.slice(0, 5).join(", ")}${things.length > 5 ? " …" : ""}</span>${offline.length > 0 ? `; ${offline.length} not connected` : ""}.</p>
      ${payloads.map((payload) => html`<p key=${payload.base}>${payloadText(payload, size)}</p>`)}
      ${warnings.map((text) => html`<p class="phase bad" key=${text}>${text}.</p>`)}
      ${warnings.length > 0 && html`<label class="line"><input type="checkbox" checked=${anyway} onInput=${(event) => event.stopPropagation()} onChange=${({ target }) => onAnyway(target.checked)} /> Deploy all the same</label>`}
    </div>
  `;
}

function payloadText({ base, things, size }, whole) {
  const share = (100 * size) / whole;
  const saving = `${grouped(size)} bytes, ${share.toFixed(share < 10 ? 1 : 0)} % of the image`;
  return base === undefined
    ? `Compressed: ${saving}.`
    : `Delta from ${base}: ${saving}; ${plural(things, "device")} ${things === 1 ? "runs" : "run"} it.`;
}

function Inspection({ inspection: { app, chip, imageSize, problem, refusal } }) {
  const trouble = problem
    ? `ESP-IDF would refuse it: ${problem}`
    : refusal && `The agent would refuse it: ${refusal}`;
  const facts = [
    ["Project", app?.projectName ?? "unknown"],
    ["Version", app?.version ?? "unknown"],
    ["Chip", chip],
    ["Size", `${grouped(imageSize)} bytes`],
    ["Compiled", app?.compileTime],
    ["Secure version", app?.secureVersion || undefined],
  ];
  return html`
    <div id="inspection">
      <${Facts} facts=${facts} />
      <p class="phase ${trouble ? "bad" : "good"}">${trouble ?? "Checksum and SHA-256 are right."}</p>
    </div>
  `;
}

function readForm(form, { name, image }, target) {
  const { elements } = form;
  const value = (field) => elements[field]?.value.trim() ?? "";
  const query = new URLSearchParams({ name });
  if (image) query.set("image", image);
  for (const protocol of value("protocol").split(" ")) query.append("protocol", protocol);
  const names = (text) => text.split(/[\s,]+/).filter(Boolean);
  if (target === "all") query.set("all", "1");
  else if (target === "group") for (const group of names(value("groups"))) query.append("group", group);
  else for (const thing of names(value("things"))) query.append("thing", thing);
  for (const { value: name } of form.querySelectorAll("input[name=from]:checked")) query.append("from", name);
  if (elements.packed.checked) query.set("packed", "1");
  const rollout = {};
  if (value("stages")) rollout.stages = value("stages").split(",").map(readStage);
  if (value("success")) rollout.stageSuccessPercentage = Number(value("success"));
  if (value("rate")) rollout.maximumPerMinute = Number(value("rate"));
  if (Object.keys(rollout).length > 0) query.set("rollout", JSON.stringify(rollout));
  if (value("abort")) {
    const least = Number(value("least") || 1);
    const criterion = { failureType: "ALL", action: "CANCEL", minNumberOfExecutedThings: least };
    query.set("abort", JSON.stringify([{ ...criterion, thresholdPercentage: Number(value("abort")) }]));
  }
  for (const field of ["retries", "description"]) if (value(field)) query.set(field, value(field));
  return query;
}

/** The service refuses what is no number. */
function readStage(text) {
  const number = Number(text.replace("%", ""));
  return text.includes("%") ? { percent: number } : { count: number };
}
