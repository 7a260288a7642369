/**
 * A table of which only the rows that are seen are there: the service has them all.
 * @module
 */
import { html, useLayoutEffect, useRef, useState } from "./htm.js";

/** Rows above and below those that are seen. */
const MARGIN = 10;

/**
 * @param total rows there are
 * @param rows those from `offset` on
 * @param onWindow told which rows are wanted: offset and limit
 * @param heads `{ name, sort? }` of the columns
 */
export function Table({ label, heads, total, rows, offset, onWindow, row, sort, onSort }) {
  const box = useRef();
  const [height, setHeight] = useState(0);
  const look = () => {
    const { scrollTop, clientHeight } = box.current;
    const size = rowHeight(box.current);
    setHeight(size);
    const first = Math.max(0, Math.floor(scrollTop / size) - MARGIN);
    onWindow(first, Math.ceil(clientHeight / size) + 2 * MARGIN);
  };
  useLayoutEffect(look, [total]);
  useLayoutEffect(() => {
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  }, []);
  const below = Math.max(0, total - offset - rows.length);
  return html`
    <div class="list" role="region" aria-label=${label} tabindex="0" ref=${box} onScroll=${look}>
      <table aria-rowcount=${total + 1}>
        <thead>
          <tr aria-rowindex="1">
            ${heads.map(
              ({ name, sort: by, className }) => html`
                <th scope="col" class=${className} aria-sort=${ariaSort(by, sort)}>
                  ${by ? html`<button type="button" class="sort" onClick=${() => onSort(by)}>${name}</button>` : name}
                </th>
              `,
            )}
          </tr>
        </thead>
        <tbody>
          ${offset > 0 && html`<tr class="gap" aria-hidden="true"><td style=${{ height: `${offset * height}px` }} /></tr>`}
          ${rows.map((item, index) => row(item, offset + index + 2))}
          ${below > 0 && html`<tr class="gap" aria-hidden="true"><td style=${{ height: `${below * height}px` }} /></tr>`}
        </tbody>
      </table>
    </div>
  `;
}

function ariaSort(by, sort) {
  if (!by) return undefined;
  if (sort?.by !== by) return "none";
  return sort.down ? "descending" : "ascending";
}

/** As the style sheet has it, which differs between a phone and a desk. */
function rowHeight(box) {
  return Number.parseFloat(getComputedStyle(box).getPropertyValue("--row")) || 44;
}
