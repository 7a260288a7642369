/**
 * The first mod: says hello, once.
 * @module
 */
import { show } from "contract";

export const version = "hello";

show("hello from a mod");
