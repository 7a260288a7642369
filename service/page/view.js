/**
 * Devices, jobs and histories as elements. Rows are changed in place, so that nobody loses the focus.
 * @module
 */

const TONES = {
  accepted: "good",
  refused: "bad",
  failed: "bad",
  "rolled back": "bad",
  "timed out": "bad",
  cancelled: "warn",
  removed: "warn",
};

/** Makes an element. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

export function tone(phase) {
  return TONES[phase] ?? "";
}

export function phaseLabel(phase) {
  return make("span", { className: `phase ${tone(phase)}`, textContent: phase });
}

/** Brings the children of `parent` in line with `items`: one element for each, in order, made once. */
export function reconcile(parent, items, keyOf, create, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = before.get(key);
    before.delete(key);
    if (!element) {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of before.values()) element.remove();
}

/** Sets a text unless it is there already: what has not changed is not read out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function makeDeviceRow({ thingName }) {
  const row = make("tr");
  row.append(
    make("th", { scope: "row" }, make("span", { className: "dot", textContent: thingName })),
    make("td"),
    make("td"),
    make("td", {}, make("span"), " ", make("span"), make("progress", { max: 1 })),
  );
  for (const [index, label] of ["", "Version", "Slot", ""].entries())
    if (label) row.children[index].dataset.label = label;
  return row;
}

export function updateDeviceRow(row, { thingName, connected, lastSeen, firmware, update }) {
  const [name, version, slot, cell] = row.children;
  const dot = name.firstElementChild;
  dot.className = connected ? "dot on" : "dot";
  dot.title = connectionText(connected, lastSeen);
  setText(version, firmware.version ?? "unknown");
  version.title = [firmware.project, firmware.chip].filter(Boolean).join(", ");
  setText(slot, [firmware.slot, firmware.state].filter(Boolean).join(", ") || "unknown");
  const [phase, text, bar] = cell.children;
  phase.className = `phase ${update ? tone(update.phase) : ""}`;
  setText(phase, update?.phase ?? "");
  setText(text, update ? `${update.text}${update.attempt > 1 ? ` (attempt ${update.attempt})` : ""}` : "");
  bar.hidden = !update || update.ended || update.phase === "offered";
  bar.value = update?.progress ?? 0;
  bar.setAttribute("aria-label", `Download of ${thingName}`);
}

function connectionText(connected, lastSeen) {
  const seen = lastSeen === undefined ? "never heard of" : `last heard of at ${clock(lastSeen)}`;
  if (connected === undefined) return seen;
  return connected ? "connected" : `not connected, ${seen}`;
}

export function makeJobItem({ jobId }, actions) {
  const button = (text, action) =>
    make("button", { type: "button", textContent: text, onclick: () => action(jobId) });
  return make(
    "li",
    {},
    make("p", {}, make("strong"), " ", make("span", { className: "quiet" })),
    make("p"),
    make("progress", { max: 1 }),
    make(
      "div",
      { className: "buttons" },
      button("History", actions.history),
      button("Cancel", actions.cancel),
      button("Delete", actions.remove),
    ),
  );
}

/** @param latest where its devices are */
export function updateJobItem(item, job, latest) {
  const [title, counts, bar, buttons] = item.children;
  const { image, jobId, createdAt, phases } = job;
  setText(
    title.children[0],
    image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? jobId),
  );
  setText(title.children[1], `${moment(createdAt)} · ${jobId}`);
  const texts = Object.entries(phases).map(([phase, count]) => [phase, `${count} ${phase}`]);
  if (counts.textContent !== texts.map(([, text]) => text).join(", "))
    counts.replaceChildren(
      ...texts.flatMap(([phase, text], index) => {
        const label = make("span", { className: `phase ${tone(phase)}`, textContent: text });
        return index === 0 ? [label] : [", ", label];
      }),
    );
  bar.hidden = job.ended;
  bar.value = latest.reduce((sum, { progress }) => sum + progress, 0) / Math.max(1, latest.length);
  bar.setAttribute("aria-label", "Download of all devices");
  const [history, cancel, remove] = buttons.children;
  const name = image?.version ?? jobId;
  for (const [button, what] of [
    [history, "History of"],
    [cancel, "Cancel"],
    [remove, "Delete"],
  ])
    button.setAttribute("aria-label", `${what} job ${name}, ${clock(createdAt)}`);
  cancel.hidden = job.ended || job.status !== "IN_PROGRESS";
  remove.hidden = !job.ended;
}

/** The history of a job's executions. */
export function historyElements({ job, executions }) {
  const { image } = job;
  const what = image ? [image.fileName, image.chip, `${image.size.toLocaleString()} bytes`] : [];
  return [
    make("p", {
      className: "quiet",
      textContent: [job.jobId, ...what, job.protocols.join(" or ")].filter(Boolean).join(" · "),
    }),
    ...executions.flatMap(({ thingName, attempt, phase, text, history }) => [
      make("h3", {}, `${thingName}${attempt > 1 ? `, attempt ${attempt}` : ""}: `, phaseLabel(phase)),
      make("p", { textContent: text }),
      make(
        "ol",
        {},
        ...history.map((entry) =>
          make(
            "li",
            {},
            make("time", { textContent: clock(entry.at) }),
            " ",
            phaseLabel(entry.phase),
            ` ${entry.text}`,
          ),
        ),
      ),
    ]),
  ];
}

/** What an image is, as names and values; problems stand across both. */
export function inspectionElements({ app, chip, imageSize, problem, refusal }) {
  const facts = [
    ["Project", app?.projectName ?? "unknown"],
    ["Version", app?.version ?? "unknown"],
    ["Chip", chip],
    ["Size", `${imageSize.toLocaleString()} bytes`],
    ...(app ? [["Compiled", app.compileTime]] : []),
    ...(app?.secureVersion ? [["Secure version", String(app.secureVersion)]] : []),
  ];
  const trouble = problem
    ? `ESP-IDF would refuse it: ${problem}`
    : refusal && `The agent would refuse it: ${refusal}`;
  return [
    ...facts.flatMap(([name, value]) => [
      make("dt", { textContent: name }),
      make("dd", { textContent: value }),
    ]),
    make("dd", {
      className: `wide phase ${trouble ? "bad" : "good"}`,
      textContent: trouble ?? "Check sum and SHA-256 are right.",
    }),
  ];
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString();
}

function moment(milliseconds) {
  return new Date(milliseconds).toLocaleString();
}
