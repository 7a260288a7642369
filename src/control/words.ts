/**
 * Texts from elsewhere (the application, a driver, an image, the service) in the form AWS IoT Jobs takes them. Pure.
 * Limits: API model iot-jobs-data-plane 2017-09-29, `DetailsMap`, `DetailsKey` and `DetailsValue`; AWS IoT Jobs quotas.
 * @module
 */
import type { StatusDetails } from "./job-status.js";

/** Most pairs in `statusDetails`. */
const MOST_DETAILS = 10;
/** Longest key and longest value, in characters. */
const KEY_LENGTH = 128;
const VALUE_LENGTH = 1024;

/**
 * A value of `statusDetails`: what AWS may not take is replaced, the end is cut off, and it is never empty.
 * @param text anything; what is no text is turned into one
 */
export function plain(text: unknown): string {
  // Everything but characters every Unicode version since 6 calls printable, in the scripts and signs that messages are
  // written in. AWS refuses controls, format characters, surrogates, private use and what is unassigned (`\p{C}`), the
  // last by tables nobody outside knows; what lies beyond the first plane is not taken, so that a character is one
  // code unit however it is counted. Made here: a regular expression in ROM throws at every use.
  const strange =
    /[^ -~\u00a1-\u00ac\u00ae-\u0377\u0384-\u038a\u038e-\u03a1\u03a3-\u0527\u1e00-\u1f15\u2010-\u2027\u2030-\u205e\u20a0-\u20b9\u2100-\u2189\u2190-\u23e7\u2500-\u26ff\u3001-\u303f\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fa5\uac00-\ud7a3\uff01-\uff9f]+/g;
  return (
    String(text)
      .slice(0, VALUE_LENGTH)
      .replace(/[\t-\r]+/g, " ")
      .replace(strange, "?") || "-"
  );
}

/** Details as AWS takes them; pairs beyond the tenth are left out. */
export function plainDetails(details: StatusDetails): StatusDetails {
  const plainer: Record<string, string> = {};
  for (const key of Object.keys(details).slice(0, MOST_DETAILS))
    plainer[key.slice(0, KEY_LENGTH).replace(/[^\w:-]/g, "_") || "_"] = plain(details[key]);
  return plainer;
}
