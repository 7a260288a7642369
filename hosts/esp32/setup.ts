/**
 * Runs before the application's main module, as Moddable's `setup/…` modules do: an image on trial is guarded
 * before any code of its own runs.
 * @module
 */
import { EspBootControl } from "xs-ota-agent/boot";

export default function setup(done: () => void): void {
  EspBootControl.guardFromStart();
  done();
}
