/**
 * Values as people read them.
 * @module
 */
import { html } from "./htm.js";

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
  const parts = known(phases).map(
    (phase) => html`<${Phase} phase=${phase}>${grouped(phases[phase])} ${phase}<//>`,
  );
  if (waiting > 0) parts.push(html`<span class="quiet">${grouped(waiting)} wait</span>`);
  return parts.map((part, index) => (index === 0 ? part : [", ", part]));
}

/** The same as text. */
export function phasesText(phases, waiting) {
  const parts = known(phases).map((phase) => `${grouped(phases[phase])} ${phase}`);
  return (waiting > 0 ? [...parts, `${grouped(waiting)} wait`] : parts).join(", ");
}

function known(phases) {
  return [...ORDER, ...LATER].filter((phase) => phases[phase]);
}

export function titleOf({ image, jobId }) {
  return image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? jobId);
}

// By hand: the first formatter of Intl that a page makes takes longer than everything else until its first rows.

/** `14:05:09`, of the browser's time zone. */
export function clock(milliseconds) {
  const date = new Date(milliseconds);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** `2026-11-29 14:05`, as the command line has it. */
export function moment(milliseconds) {
  const date = new Date(milliseconds);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("-");
  return `${day} ${clock(milliseconds).slice(0, -3)}`;
}

/** `1,234,567`; whole numbers. */
export function grouped(number) {
  return String(number).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

export function plural(number, word) {
  return `${grouped(number)} ${word}${number === 1 ? "" : "s"}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** A link to a place of this page. */
export function place(path, query = {}) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}
