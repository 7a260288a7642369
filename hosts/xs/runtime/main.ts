/**
 * The application of a simulated device inside a bare XS engine: entry point of the bundle. It does nothing
 * until the host commands.
 * @module
 */
import { type AppConfig, startApp } from "../../emulated/device-app.js";
import { Call, Command, Reader, Writer } from "../wire.js";
import { XsClock } from "./clock.js";
import { callText } from "./engine.js";
import { XsHttp } from "./http.js";
import { XsMqtt } from "./mqtt.js";
import { XsBoot, XsFlash, xsCrypto, xsLog, xsStore } from "./ports.js";
import { randomFrom } from "./random.js";

export interface StartCommand {
  readonly app: AppConfig;
  /** Labels of the data partitions, which follow slot and running image. */
  readonly data: readonly string[];
  /** Differs between devices and boots. */
  readonly seed: number;
}

const clock = new XsClock();
const mqtt = new XsMqtt();
const http = new XsHttp();

function start({ app, data, seed }: StartCommand): void {
  const report = (event: unknown) => void callText(Call.event, JSON.stringify(event));
  startApp(
    {
      ...{ clock, mqtt, http, report },
      random: randomFrom(seed),
      crypto: xsCrypto,
      slot: new XsFlash(0),
      running: new XsFlash(1),
      data: Object.fromEntries(data.map((label, n) => [label, new XsFlash(2 + n)])),
      boot: new XsBoot(),
      store: xsStore,
      log: xsLog,
      hang: () => {
        // A loop without an effect would be left out of the bundle.
        for (;;) Reflect.set(globalThis, "hanging", true);
      },
    },
    app,
  );
}

function perform(command: number, fields: Reader): void {
  switch (command) {
    case Command.start:
      return start(JSON.parse(fields.rest()));
    case Command.tick:
      return clock.tick();
    case Command.online:
      return mqtt.online();
    case Command.offline:
      return mqtt.offline();
    case Command.message:
      return mqtt.message(fields);
    case Command.published:
      return mqtt.published(fields);
    case Command.subscribed:
      return mqtt.subscribed(fields);
    case Command.httpHeaders:
      return http.headers(fields);
    case Command.httpData:
      return http.data(fields);
    case Command.httpDone:
      return http.done(fields);
    default:
      throw new Error(`unknown command ${command}`);
  }
}

/** Read by the engine when every promise job of the command has run. */
const report = {
  get result(): ArrayBuffer {
    return new Writer(8).f64(clock.deadline).finish().buffer;
  },
};

Object.assign(globalThis, {
  handleCommand(message: ArrayBuffer): typeof report {
    const fields = new Reader(new Uint8Array(message));
    const command = fields.u8();
    clock.synchronize(fields.f64());
    perform(command, fields);
    return report;
  },
});
