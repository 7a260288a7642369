import { ModdableClock } from "../../hosts/moddable/clock.js";
import {
  type NetworkEvent,
  NetworkKeeper,
  type NetworkKeeperOptions,
} from "../../hosts/moddable/network-keeper.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { here } from "../support/here.js";
import { sdk } from "../support/sdk/machine.js";
import SNTP, { timeServers } from "../support/sdk/sntp.js";
import Time from "../support/sdk/time.js";
import WiFi, { air } from "../support/sdk/wifi.js";
import { seeded } from "../support/virtual-clock.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
/** 2026. */
const NOW = 1_780_000_000;

describe("network", () => {
  let events: NetworkEvent[];
  let ready: number;
  let keeper: NetworkKeeper | undefined;
  const now = () => (sdk.time?.seconds ?? 0) * 1000 + sdk.clock.now() - (sdk.time?.at ?? 0);

  beforeEach(() => {
    sdk.reset();
    air.reset();
    timeServers.reset();
    timeServers.answers.set("time.test", NOW);
    events = [];
    ready = 0;
    keeper = undefined;
  });
  afterEach(() => keeper?.close());

  function start(more: Partial<NetworkKeeperOptions> = {}, seed = 1): NetworkKeeper {
    keeper = new NetworkKeeper({
      WiFi,
      Sntp: SNTP as never,
      clock: new ModdableClock(),
      random: seeded(seed),
      now,
      setTime: (seconds) => Time.set(seconds),
      ssid: "home",
      password: "secret12",
      servers: ["time.test"],
      onReady: () => ready++,
      onEvent: (event) => events.push(event),
      ...more,
    });
    return keeper;
  }
  const types = () => events.map(({ type }) => type);

  it("connects, asks for the time, and is ready once", () => {
    const network = start();
    equal(network.online, false);
    equal(network.timeKnown, false);
    sdk.clock.run(10 * SECOND);
    deepEqual(types(), ["connected", "time"]);
    deepEqual([network.online, network.timeKnown, ready], [true, true, 1]);
    equal(Math.floor(now() / 1000) - NOW < 10, true);
  });

  it("is not ready before it knows the time, in 1970 no certificate is valid", () => {
    timeServers.answers.set("time.test", undefined);
    const network = start();
    sdk.clock.run(10 * MINUTE);
    equal(network.online, true);
    equal(ready, 0);
    ok(types().filter((type) => type === "no-time").length > 3);
    timeServers.answers.set("time.test", NOW);
    sdk.clock.run(6 * MINUTE);
    equal(ready, 1);
  });

  it("is ready at once when the clock was kept, and asks all the same", () => {
    Time.set(NOW);
    start();
    timeServers.answers.set("time.test", undefined);
    sdk.clock.run(5 * SECOND);
    equal(ready, 1);
    equal(timeServers.asked.length, 1);
  });

  it("takes no time from before this was written, and asks another server", () => {
    timeServers.answers.set("time.test", 5);
    timeServers.answers.set("other.test", NOW);
    start({ servers: ["time.test", "unknown.test", "other.test"] });
    sdk.clock.run(MINUTE);
    deepEqual(types(), ["connected", "no-time", "no-time", "time"]);
    deepEqual(timeServers.asked, ["time.test", "unknown.test", "other.test"]);
    equal(ready, 1);
  });

  it("asks for the time again every day", () => {
    start();
    sdk.clock.run(10 * DAY);
    const asked = timeServers.asked.length;
    ok(asked >= 9 && asked <= 12, `${asked} times in ten days`);
    equal(timeServers.open, 0);
    equal(ready, 1);
  });

  it("comes back after the access point was away, for ever (the SDK's setup gives up)", () => {
    const network = start();
    sdk.clock.run(10 * SECOND);
    for (const away of [5 * SECOND, MINUTE, 60 * MINUTE, here(7, 1) * DAY]) {
      air.lose();
      sdk.clock.run(away);
      equal(network.online, false);
      air.networks.set("home", "secret12");
      sdk.clock.run(45 * SECOND);
      equal(network.online, true, `after ${away} ms`);
      sdk.clock.run(10 * MINUTE);
    }
    equal(ready, 1);
  });

  it("tries a lost network at first within seconds, then at most every 20 s or so", () => {
    start();
    sdk.clock.run(10 * SECOND);
    air.attempts = 0;
    air.lose();
    sdk.clock.run(4 * SECOND);
    ok(air.attempts >= 1);
    sdk.clock.run(60 * MINUTE);
    ok(air.attempts > 150 && air.attempts < 350, `${air.attempts} attempts in an hour`);
  });

  it("gives a good image on trial several chances to reach the service again", () => {
    start();
    sdk.clock.run(10 * SECOND);
    air.lose();
    sdk.clock.run(50 * SECOND);
    air.networks.set("home", "secret12");
    let waited = 0;
    while (!keeper?.online && waited < 90) {
      sdk.clock.run(SECOND);
      waited++;
    }
    ok(waited <= 30, `${waited} s after the network was back`);
  });

  it("gives up an access point that gives out no address, and tries again", () => {
    air.dhcp = false;
    const network = start();
    sdk.clock.run(2 * MINUTE);
    equal(network.online, false);
    ok(air.attempts >= 2);
    air.dhcp = true;
    sdk.clock.run(MINUTE);
    equal(network.online, true);
  });

  it("goes on when a password is wrong, and says so", () => {
    start({ password: "mistaken" });
    sdk.clock.run(MINUTE);
    ok(types().every((type) => type === "disconnected"));
    ok(air.attempts > 3);
    const [event] = events;
    ok(event.type === "disconnected" && event.reason === "not admitted");
  });

  it("survives that no socket can be made for a time", () => {
    timeServers.noSocket = true;
    start();
    sdk.clock.run(MINUTE);
    ok(types().includes("no-time"));
    timeServers.noSocket = false;
    sdk.clock.run(6 * MINUTE);
    equal(ready, 1);
  });

  it("survives what the application throws", () => {
    start({
      onEvent: () => {
        throw null;
      },
      onReady: () => {
        throw new Error("deliberate");
      },
    });
    sdk.clock.run(10 * SECOND);
    air.lose();
    air.networks.set("home", "secret12");
    sdk.clock.run(MINUTE);
    equal(keeper?.online, true);
  });

  it("takes over a station that is connected already", () => {
    const early = new WiFi({});
    early.connect({ SSID: "home", password: "secret12" });
    sdk.clock.run(10 * SECOND);
    class Shared extends WiFi {
      override get connection(): number {
        return early.connection;
      }
    }
    start({ WiFi: Shared });
    sdk.clock.run(5 * SECOND);
    equal(ready, 1);
    equal(air.attempts, 1);
    start({ WiFi: Shared }).close();
    sdk.clock.run(5 * SECOND);
    keeper = undefined;
    equal(air.attempts, 1);
  });

  it("does nothing more once closed", () => {
    const network = start();
    sdk.clock.run(10 * SECOND);
    network.close();
    const { length } = events;
    air.lose();
    sdk.clock.run(2 * DAY);
    equal(events.length, length);
    equal(timeServers.asked.length, 1);
    keeper = undefined;
  });

  it("refuses what cannot be a network", () => {
    for (const ssid of ["", "x".repeat(33), undefined as unknown as string])
      throws(() => start({ ssid }), { type: TypeError });
    throws(() => start({ password: "x".repeat(65) }), { type: TypeError });
    throws(() => start({ servers: [] }), { type: TypeError });
    throws(() => start({ longestWaitMs: 0 }), { type: RangeError });
  });

  it("gets there in the end, whatever happens on the way", () => {
    for (let seed = 1; seed <= here(200, 40); seed++) {
      sdk.reset();
      air.reset();
      timeServers.reset();
      events = [];
      ready = 0;
      const dice = seeded(seed);
      const network = start({ servers: ["a.test", "b.test"] }, seed);
      for (let step = 0; step < 30; step++) {
        const what = Math.floor(dice() * 8);
        if (what === 0) air.lose();
        else if (what === 1) air.networks.set("home", "secret12");
        else if (what === 2) air.networks.set("home", "changed1");
        else if (what === 3) air.dhcp = dice() < 0.5;
        else if (what === 4) timeServers.answers.set("a.test", dice() < 0.5 ? 12 : undefined);
        else if (what === 5) timeServers.answers.set("b.test", dice() < 0.5 ? NOW : undefined);
        else if (what === 6) timeServers.noSocket = dice() < 0.3;
        else for (const station of air.stations) station.drop();
        sdk.clock.run(dice() * 3 * MINUTE);
      }
      air.networks.set("home", "secret12");
      air.dhcp = true;
      timeServers.noSocket = false;
      timeServers.answers.set("a.test", NOW);
      timeServers.answers.set("b.test", NOW);
      sdk.clock.run(7 * MINUTE);
      deepEqual([network.online, network.timeKnown, ready], [true, true, 1], `seed ${seed}`);
      ok(timeServers.open <= 1, `seed ${seed}: ${timeServers.open} sockets`);
      network.close();
    }
    keeper = undefined;
  });
});
