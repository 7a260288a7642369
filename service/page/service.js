/**
 * The service behind the page: requests, and the news that something has changed.
 * @module
 */
import { useEffect, useRef, useState } from "./htm.js";

/** Asks the API. Throws an Error with what went wrong in words. */
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(`api/${path}`, { method, body });
  } catch {
    throw new Error("The service does not answer.");
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  throw new Error(answer?.error?.message ?? `The service answers with status ${response.status}.`);
}

/** `{ status, revision, isLost }`, kept up to date. The browser connects again by itself. */
export function useService() {
  const [state, setState] = useState({ status: undefined, revision: 0, isLost: false });
  useEffect(() => {
    const events = new EventSource("api/ticks");
    const take = (news) => setState((before) => ({ ...before, isLost: false, ...news }));
    events.addEventListener("status", ({ data }) => take({ status: JSON.parse(data) }));
    events.addEventListener("tick", ({ data }) => take({ revision: JSON.parse(data).revision }));
    events.addEventListener("error", () => take({ isLost: true }));
    return () => events.close();
  }, []);
  return state;
}

/**
 * What a path of the API answers, asked for again whenever the service has news or the path is another one. One
 * request at a time; what was there stays until something newer is.
 */
export function useAnswer(path, news) {
  const [answer, setAnswer] = useState({});
  const asked = useRef({ isBusy: false, wanted: "" });
  useEffect(() => {
    const state = asked.current;
    state.wanted = path === undefined ? undefined : `${path} ${news}`;
    const run = async () => {
      if (state.isBusy || state.wanted === undefined) return;
      state.isBusy = true;
      const wanted = state.wanted;
      const asking = wanted.slice(0, wanted.indexOf(" "));
      try {
        const data = await ask("GET", asking);
        setAnswer({ data, path: asking });
      } catch (error) {
        setAnswer((before) => ({ ...before, error: error.message }));
      }
      state.isBusy = false;
      if (state.wanted !== wanted) run();
    };
    run();
  }, [path, news]);
  return answer;
}

/** Tells screen readers what a sighted person sees. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}
