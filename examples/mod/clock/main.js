/**
 * The second mod: tells how long it has been running, every second. Two modules, as a larger one has.
 * @module
 */
import { every, show } from "contract";
import { Seconds } from "./seconds.js";

export const version = "clock";

const seconds = new Seconds();

every(1000, () => show(`running for ${seconds.next()} s`));
