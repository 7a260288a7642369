/**
 * Values as people read them.
 * @module
 */
import { html } from "./htm.js";

/** Making one takes longer than all that it formats on a page. */
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

const TONES = {
  accepted: "good",
  refused: "bad",
  failed: "bad",
  "rolled back": "bad",
  "timed out": "bad",
  cancelled: "warn",
  removed: "warn",
};

/** The order in which phases are told: what asks for a person first. */
const ORDER = ["failed", "rolled back", "refused", "timed out", "cancelled", "removed"];
const LATER = ["testing", "restarting", "downloading", "started", "offered", "accepted"];

export function tone(phase) {
  return TONES[phase] ?? "";
}

export function Phase({ phase, children }) {
  return html`<span class="phase ${tone(phase)}">${children ?? phase}</span>`;
}

/** How many are in which phase. */
export function Phases({ phases, waiting = 0 }) {
  const known = [...ORDER, ...LATER].filter((phase) => phases[phase]);
  const parts = known.map((phase) => html`<${Phase} phase=${phase}>${phases[phase]} ${phase}<//>`);
  if (waiting > 0) parts.push(html`<span class="quiet">${waiting} wait</span>`);
  return parts.map((part, index) => (index === 0 ? part : [", ", part]));
}

export function titleOf({ image, jobId }) {
  return image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? jobId);
}

export function clock(milliseconds) {
  return CLOCK.format(milliseconds);
}

export function moment(milliseconds) {
  return MOMENT.format(milliseconds);
}

export function plural(count, word) {
  return `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
}

/** A link to a place of this page. */
export function place(path, query = {}) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}
