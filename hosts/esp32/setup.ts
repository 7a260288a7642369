/**
 * Runs before the application's main module, as Moddable's `setup/…` modules do: an image on trial is guarded
 * before any code of its own runs, and the boot loader is asked whether it rolls back.
 * @module
 */
import { EspBootControl } from "xs-ota-agent/boot";
import { PreferenceStore } from "../moddable/store.js";

export default function setup(done: () => void): void {
  if (!EspBootControl.begin(new PreferenceStore())) done();
}
